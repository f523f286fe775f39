/** An answer that is older is of no use, whatever it costs to have another. */
const LONGEST_PAUSE_MS = 15_000;

export interface PacedOptions {
  /** From the end of one to the beginning of the next at least. Default 1 s. */
  readonly leastMs?: number;
  /** How much of the time it may take. Default 0.05. */
  readonly share?: number;
  readonly nowMs?: () => number;
}

/**
 * A piece of work whose answer many ask for: one at a time, and not too often. Who asks in between gets the last answer,
 * or for a second the last failure.
 */
export class Paced<T> {
  private last: Promise<T> | undefined;
  private running = false;
  private notBeforeMs = -Infinity;
  private tookMs = 0;

  constructor(
    private readonly work: () => Promise<T>,
    private readonly options: PacedOptions = {},
  ) {}

  /** @throws what the work has thrown, again and again until it is tried anew */
  get(): Promise<T> {
    const nowMs = this.nowMs();
    if (this.last && (this.running || nowMs < this.notBeforeMs)) return this.last;
    this.running = true;
    this.last = this.run(nowMs);
    // Nobody may be waiting for it any more when it fails.
    this.last.catch(() => undefined);
    return this.last;
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.running) await this.last?.catch(() => undefined);
  }

  private async run(startedAtMs: number): Promise<T> {
    const { leastMs = 1_000, share = 0.05 } = this.options;
    let pauseMs = leastMs;
    try {
      const answer = await this.work();
      const tookMs = this.nowMs() - startedAtMs;
      // The first one opens a connection, and any may be late by chance: what counts is what two in a row have taken.
      const restMs = Math.min(tookMs, this.tookMs) * (1 / share - 1);
      pauseMs = Math.max(leastMs, Math.min(restMs, LONGEST_PAUSE_MS));
      this.tookMs = tookMs;
      return answer;
    } finally {
      this.notBeforeMs = this.nowMs() + pauseMs;
      this.running = false;
    }
  }

  private nowMs(): number {
    return this.options.nowMs?.() ?? performance.now();
  }
}
