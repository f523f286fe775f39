import type { Logger } from '#shared/runtime/logger';

export interface LoopOptions {
  readonly name: string;
  /** Does one round. @returns in how many milliseconds the next is wanted */
  readonly runOnce: () => Promise<number>;
  /** The longest pause after a round that failed. */
  readonly longestPauseMs: number;
  readonly log: Logger;
}

/** A background loop: rounds one after another, each followed by a pause that a wake-up cuts short. */
export class Loop {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private woken = false;
  private stopped = false;
  private failures = 0;
  private lastGoodMs = -Infinity;

  constructor(private readonly options: LoopOptions) {}

  start(): void {
    this.wake();
  }

  /** Starts a round now, or another one right after the one under way. */
  wake(): void {
    if (this.stopped) return;
    if (this.running) {
      this.woken = true;
      return;
    }
    clearTimeout(this.timer);
    this.running = this.round();
  }

  /** Whether a round has succeeded within the time. */
  isTurning(withinMs: number): boolean {
    return performance.now() - this.lastGoodMs < withinMs;
  }

  /** Resolves when the round under way has ended; there is no other. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** A round that throws at once fails like any other: `running` is set by then. */
  private async runOnce(): Promise<number> {
    return this.options.runOnce();
  }

  private async round(): Promise<void> {
    let pauseMs: number;
    try {
      pauseMs = await this.runOnce();
      this.failures = 0;
      this.lastGoodMs = performance.now();
    } catch (error) {
      this.failures += 1;
      pauseMs = Math.min(this.options.longestPauseMs, 100 * 2 ** Math.min(this.failures, 8));
      this.options.log.warn({ err: error, loop: this.options.name, again_in_ms: pauseMs }, 'a round failed');
    }
    this.running = undefined;
    if (this.stopped) return;
    if (this.woken) pauseMs = 0;
    this.woken = false;
    // Spread, so that several schedulers do not look at the same instant. A time that a round has asked for is kept.
    const isAskedFor = this.failures === 0 && pauseMs < this.options.longestPauseMs;
    // Node cuts off fractions of milliseconds: a look before the time would be for nothing.
    const waitMs = isAskedFor ? Math.ceil(pauseMs) : pauseMs * (0.9 + 0.2 * Math.random());
    this.timer = setTimeout(() => this.wake(), waitMs);
  }
}
