import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ServiceConfig } from '#shared/runtime/config';
import { type Logger, logForm } from '#shared/runtime/logger';
import { type FromKeeper, type KeeperSettings, LoopSignals, type Renewed, type ToKeeper } from './keeper-messages';
import type { SharedDeadline } from './shared-deadline';
import type { TurnSlots } from './turn-slots';

const LONGEST_BEAT_MS = 250;
/** Of an ack wait: enough to notice in time that the loop stands still. */
const BEATS_AN_ACK_WAIT = 24;
const STOP_LIMIT_MS = 1_000;

/** Who keeps a worker's lease. */
export interface Keeper {
  /** Renews this lease from now on, and no other. */
  keep(worker: string, deadline: SharedDeadline): void;
}

export interface KeeperEvents {
  readonly renewed: (renewal: Renewed) => void;
  /** The lease is over; the next one is to be registered. */
  readonly lost: (worker: string) => void;
}

export interface ThreadKeeperOptions extends KeeperEvents {
  readonly config: ServiceConfig;
  readonly slots: TurnSlots;
  readonly log: Logger;
  /** Ends the process: without the thread the worker keeps no lease. */
  readonly exit?: (code: number) => void;
}

/** The main thread's end of the keeper thread (`keeper-thread.ts`). */
export class ThreadKeeper implements Keeper {
  /** Resolves when the thread is connected to the database. Never rejects. */
  readonly ready: Promise<void>;
  private readonly thread: Worker;
  private readonly signals = new LoopSignals();
  private readonly beating: NodeJS.Timeout;
  private readonly gone: Promise<void>;
  private stopping = false;

  constructor(private readonly options: ThreadKeeperOptions) {
    const { config } = options;
    const beatMs = Math.min(LONGEST_BEAT_MS, config.ackWaitMs / BEATS_AN_ACK_WAIT);
    this.beating = setInterval(() => this.signals.beat(), beatMs).unref();
    this.thread = new Worker(join(__dirname, 'keeper-thread.js'), { workerData: this.settings(beatMs) });
    this.ready = new Promise((resolve) => {
      this.thread.on('message', (message: FromKeeper) => {
        if (message.kind === 'ready') resolve();
        else this.hear(message);
      });
    });
    this.thread.once('error', (error) => this.died(error));
    this.gone = new Promise((resolve) => {
      this.thread.once('exit', () => {
        resolve();
        this.died(new Error('it ended by itself'));
      });
    });
    // It ends with the process, which does not wait for it.
    this.thread.unref();
  }

  /** What is delivered now comes from this store. */
  set store(store: number) {
    this.signals.store = store;
  }

  keep(worker: string, deadline: SharedDeadline): void {
    this.tell({ kind: 'keep', worker, deadline: deadline.buffer });
  }

  /** Ends the thread: resolved when it is gone, which takes a second at most. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.beating);
    this.tell({ kind: 'stop' });
    const timer = setTimeout(() => void this.thread.terminate(), STOP_LIMIT_MS);
    await this.gone;
    clearTimeout(timer);
  }

  private hear(message: Exclude<FromKeeper, { kind: 'ready' }>): void {
    if (this.stopping) return;
    if (message.kind === 'renewed') this.options.renewed(message);
    else this.options.lost(message.worker);
  }

  private tell(message: ToKeeper): void {
    this.thread.postMessage(message);
  }

  private died(error: Error): void {
    if (this.stopping) return;
    this.stopping = true;
    const { log, exit = (code) => process.exit(code) } = this.options;
    log.fatal({ err: error }, 'the thread that keeps the lease has ended: this worker ends with it');
    exit(1);
  }

  private settings(beatMs: number): KeeperSettings {
    const { config, slots } = this.options;
    const { databaseUrl, natsUrl, leaseMs, ackWaitMs, stuckAfterMs, helpsBlockedLoop } = config;
    return {
      ...{ databaseUrl, natsUrl, leaseMs, ackWaitMs, stuckAfterMs, helpsBlockedLoop, beatMs },
      log: { service: config.service, level: config.logLevel, form: logForm() },
      clockOriginNs: process.hrtime.bigint() - BigInt(Math.round(performance.now() * 1e6)),
      signals: this.signals.buffer,
      slots: slots.buffer,
    };
  }
}
