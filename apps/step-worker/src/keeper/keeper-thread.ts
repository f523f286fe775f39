import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { NatsBus } from '#shared/bus/nats-bus';
import { createLogger, type Logger } from '#shared/runtime/logger';
import { notify } from '#shared/bus/signals';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';
import { connectWhenUp } from '#shared/store/connect';
import { createDatabase, type Database } from '#shared/store/database';
import { Cancels, LOOK_START } from '#shared/store/jobs/cancels';
import { RunningRecord } from '#shared/store/jobs/running-record';
import { WorkerRegistry } from '#shared/store/worker-registry';
import { BlockedLoop, type BegunTurn } from './blocked-loop';
import { type FromKeeper, type KeeperSettings, LoopSignals, type ToKeeper } from './keeper-messages';
import { LeaseRenewal } from './lease-renewal';
import { LoopWatch } from './loop-watch';
import { ProcessLoad } from './process-load';
import { TurnSlotReader } from './turn-slots';

/** One for the lease; more only while an answer does not come, or the begins of a blocked loop are recorded. */
const CONNECTIONS = 4;
const CLOSE_LIMIT_MS = 500;
const WORKING = Buffer.from('+WPI');

/**
 * The worker's second thread, which a handler that computes for minutes does not hold up: it renews the lease, over a
 * connection of its own, and does what `BlockedLoop` says while the main thread's loop stands still.
 */
class KeeperThread {
  private readonly log: Logger;
  private readonly database: Database;
  private readonly bus: NatsBus;
  private readonly slots: TurnSlotReader;
  private readonly signals: LoopSignals;
  private readonly renewal: LeaseRenewal;
  private readonly running: RunningRecord;
  private readonly cancels: Cancels;
  private readonly load = new ProcessLoad();
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private worker = '';

  constructor(
    private readonly settings: KeeperSettings,
    private readonly port: MessagePort,
  ) {
    this.log = createLogger(settings.log);
    this.database = createDatabase({
      url: settings.databaseUrl,
      applicationName: 'sluice-step-worker-lease',
      poolSize: CONNECTIONS,
      onIdleError: (error) => this.log.warn({ err: error }, "the lease's connection to Postgres was lost"),
    });
    this.bus = NatsBus.open({ url: settings.natsUrl, name: 'sluice-step-worker-lease', log: this.log });
    this.slots = new TurnSlotReader(settings.slots);
    this.signals = new LoopSignals(settings.signals);
    this.running = new RunningRecord(this.database);
    this.cancels = new Cancels(this.database);
    const registry = new WorkerRegistry(this.database);
    this.renewal = new LeaseRenewal({
      leaseMs: settings.leaseMs,
      renew: (worker) => registry.renew(worker, settings.leaseMs, this.load.look(this.slots.count())),
      tell: (message) => this.tell(message),
      now: () => this.now(),
      log: this.log,
    });
  }

  async start(): Promise<void> {
    this.port.on('message', (message: ToKeeper) => this.hear(message));
    if (this.settings.helpsBlockedLoop) this.watchLoop();
    if (await connectWhenUp(this.database, this.log, this.stopping.signal)) this.tell({ kind: 'ready' });
  }

  private hear(message: ToKeeper): void {
    switch (message.kind) {
      case 'keep':
        this.worker = message.worker;
        return this.renewal.keep(message.worker, message.deadline);
      case 'stop':
        return void this.stop();
    }
  }

  private watchLoop(): void {
    const { beatMs, ackWaitMs, leaseMs, stuckAfterMs } = this.settings;
    const blocked = new BlockedLoop({
      ...{ ackWaitMs, leaseMs, stuckAfterMs, slots: this.slots, log: this.log },
      store: () => this.signals.store,
      sayWorking: (reply) => this.bus.send(reply, WORKING),
      record: (turns) => this.record(turns),
      acknowledgeCancels: (atWork) => this.acknowledgeCancels(atWork),
      die: () => process.kill(process.pid, 'SIGKILL'),
    });
    const watch = new LoopWatch(beatMs, this.signals.beats, this.now());
    this.timer = setInterval(() => {
      const nowMs = this.now();
      blocked.look(watch.look(this.signals.beats, nowMs), nowMs);
    }, beatMs);
  }

  private async record(turns: readonly BegunTurn[]): Promise<boolean> {
    if (!this.database.isInitialized || this.worker === '') return false;
    const heads = turns.map(({ jobId, step: { run, head, startedAt } }) => ({ jobId, run, head, startedAt }));
    try {
      await this.running.write(this.worker, heads);
      return true;
    } catch (error) {
      this.log.warn({ err: error }, 'it could not be recorded that steps of a blocked worker run');
      return false;
    }
  }

  private async acknowledgeCancels(atWork: readonly string[]): Promise<void> {
    const { worker } = this;
    if (!this.database.isInitialized || worker === '') return;
    try {
      const { jobs, at } = await this.cancels.look(LOOK_START, 1);
      if (jobs.length === 0) return;
      await this.cancels.acknowledge(worker, at, atWork);
      notify(this.bus, SCHEDULER_WAKE);
    } catch (error) {
      this.log.warn({ err: error }, 'cancels could not be acknowledged for a blocked worker');
    }
  }

  private async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    this.renewal.stop();
    await this.bus.close(CLOSE_LIMIT_MS);
    if (this.database.isInitialized) await this.database.destroy();
    process.exit(0); // of this thread alone
  }

  private tell(message: FromKeeper): void {
    this.port.postMessage(message);
  }

  /** The main thread's `performance.now()`: each thread's own begins with the thread. */
  private now(): number {
    return Number(process.hrtime.bigint() - this.settings.clockOriginNs) / 1e6;
  }
}

if (!parentPort) throw new Error('this is no program: the step-worker starts it as a thread');
void new KeeperThread(workerData as KeeperSettings, parentPort).start();
