import type { Micros } from '#shared/domain/turn/job-draft';

interface Look {
  readonly atMs: number;
  readonly frontier: Micros;
}

/**
 * What a subject's frontier was: `at` of its first message not yet delivered, the time of the look when there was none.
 * A step opened before the frontier, and before the one a margin ago, has had its message delivered, or lost.
 */
export class FrontierHistory {
  private looks: Look[] = [];

  constructor(private readonly marginMs: number) {}

  /** @param nowMs a monotonic clock */
  add(nowMs: number, frontier: Micros): void {
    this.looks.push({ atMs: nowMs, frontier });
    const old = this.looks.findLastIndex((look) => look.atMs <= nowMs - this.marginMs);
    if (old > 0) this.looks.splice(0, old);
  }

  /** Nothing is known any more: the stream was out of reach. */
  forget(): void {
    this.looks = [];
  }

  /** Steps dispatched before this have been passed for a whole margin; null: too early to say. */
  passed(nowMs: number): Micros | null {
    const newest = this.looks.at(-1);
    const old = this.looks[0];
    if (!newest || !old || old.atMs > nowMs - this.marginMs) return null;
    return Math.min(newest.frontier, old.frontier);
  }
}
