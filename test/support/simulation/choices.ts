/** Chance that can be had again: the same seed gives the same numbers. */
export class Choices {
  constructor(private state: number) {}

  /** From 0 to below 1. (mulberry32) */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from 0 to below `count`. */
  below(count: number): number {
    return Math.floor(this.fraction() * count);
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  /** Mostly a short time, now and then a long one: milliseconds. */
  latencyMs(usualMs: number): number {
    const longTail = this.chance(0.04) ? 100 : 1;
    return usualMs * (0.2 + this.fraction()) * longTail;
  }
}
