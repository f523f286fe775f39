/** So many beats missed: the loop is taken to stand still. */
const MISSED_BEATS = 3;
/** A look that comes so late: this thread has not run either. */
const AWAY_AFTER_MS = 2_000;

/**
 * Watches by its beats whether the main thread's loop turns. Whole processes are stopped too (SIGSTOP, a suspended
 * machine): time in which this thread did not run counts for nothing.
 */
export class LoopWatch {
  private beats: number;
  private sinceMs: number;
  private lookedAtMs: number;

  /** To be looked at once every `beatMs`. */
  constructor(
    private readonly beatMs: number,
    beats: number,
    nowMs: number,
  ) {
    this.beats = beats;
    this.sinceMs = nowMs;
    this.lookedAtMs = nowMs;
  }

  /** @returns for how long the loop has stood still, in milliseconds; 0 when it turns */
  look(beats: number, nowMs: number): number {
    const wasAway = nowMs - this.lookedAtMs > AWAY_AFTER_MS;
    this.lookedAtMs = nowMs;
    if (beats !== this.beats || wasAway) {
      this.beats = beats;
      this.sinceMs = nowMs;
    }
    const stoodMs = nowMs - this.sinceMs;
    return stoodMs > MISSED_BEATS * this.beatMs ? stoodMs : 0;
  }
}
