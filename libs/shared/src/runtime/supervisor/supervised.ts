import { setTimeout as pause } from 'node:timers/promises';
import { describeExit, type ProcessExit } from '#shared/runtime/embedded/guardian';
import { nextRestart, RESTART_POLICY, type RestartPolicy } from '#shared/runtime/supervisor/restart-policy';

/** A process that runs. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  /** Ends it well, or kills it when that takes longer than `limitMs`. */
  stop(limitMs?: number): Promise<ProcessExit>;
}

export interface SupervisedOptions<R extends Running> {
  readonly name: string;
  /** Starts it, the first time and again. */
  readonly start: () => Promise<R>;
  /** Told what happens, one line at a time. */
  readonly say: (line: string) => void;
  /** Called after each start and each end. */
  readonly onChange?: () => void;
  readonly policy?: RestartPolicy;
}

/** Keeps one process running until it is told to stop. */
export class Supervised<R extends Running = Running> {
  private running: R | undefined;
  private starting: Promise<R> | undefined;
  private readonly stopping = new AbortController();
  private watching: Promise<void> = Promise.resolve();
  private restartCount = 0;

  constructor(private readonly options: SupervisedOptions<R>) {}

  get name(): string {
    return this.options.name;
  }

  /** What runs now; undefined between an end and the next start. */
  get current(): R | undefined {
    return this.running;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.restartCount;
  }

  private isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  /**
   * Starts it, and once it is ready starts it again whenever it ends.
   * @param ready resolves when the first start has succeeded; default: at once
   * @throws when the first start fails: then nothing is supervised, and `stop` ends what may still run
   */
  async start(ready: (running: R) => Promise<void> = () => Promise.resolve()): Promise<R> {
    const first = await this.startOnce();
    await ready(first);
    this.watching = this.watch(first);
    return first;
  }

  /** Ends it and does not start it again. Safe to call at any time, and again with a shorter limit. */
  async stop(limitMs?: number): Promise<void> {
    this.stopping.abort();
    await this.running?.stop(limitMs);
    await this.starting?.catch(() => undefined);
    await this.running?.stop(limitMs);
    await this.watching;
  }

  private async watch(first: R): Promise<void> {
    let inARow = 0;
    let current: R | undefined = first;
    let startedAt = performance.now();
    let reason = '';
    while (!this.isStopping()) {
      if (current) reason = `ended with ${describeExit(await current.exited)}`;
      if (this.running === current) this.running = undefined;
      if (this.isStopping()) return;
      const restart = nextRestart(
        this.options.policy ?? RESTART_POLICY,
        inARow,
        current ? performance.now() - startedAt : 0,
      );
      inARow = restart.inARow;
      this.options.onChange?.();
      const when = restart.pauseMs === 0 ? 'at once' : `in ${restart.pauseMs / 1000} s`;
      this.options.say(`${this.name} ${reason}; starting it again ${when}`);
      await pause(restart.pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.isStopping()) return;
      startedAt = performance.now();
      this.restartCount++;
      try {
        current = await this.startOnce();
      } catch (error) {
        current = undefined;
        reason = `did not start (${error instanceof Error ? error.message : String(error)})`;
      }
    }
  }

  private startOnce(): Promise<R> {
    if (this.isStopping()) return Promise.reject(new Error(`${this.name} was told to stop`));
    this.starting = this.options.start().then((running) => {
      this.running = running;
      this.options.onChange?.();
      return running;
    });
    return this.starting;
  }
}
