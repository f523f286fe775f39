const MICROS_PER_MS = 1_000;
const OVER = 0n;

/**
 * When a lease ends, in memory that two threads share: one extends it, the other heeds it. Times are the main thread's
 * `performance.now()`. Once it is over it stays over: whoever finds it so first says so for both.
 */
export class SharedDeadline {
  private readonly word: BigInt64Array;

  /** @param buffer of one that another thread has made; left out, a new one that is over */
  constructor(readonly buffer = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)) {
    this.word = new BigInt64Array(buffer);
  }

  /** One that ends then, unless it is extended. */
  static at(deadlineMs: number): SharedDeadline {
    const deadline = new SharedDeadline();
    Atomics.store(deadline.word, 0, micros(deadlineMs));
    return deadline;
  }

  /** When it ends; 0 when it is over. */
  get ms(): number {
    return Number(Atomics.load(this.word, 0)) / MICROS_PER_MS;
  }

  isOver(nowMs: number): boolean {
    for (;;) {
      const now = Atomics.load(this.word, 0);
      if (now === OVER) return true;
      if (nowMs < Number(now) / MICROS_PER_MS) return false;
      // Extended since: then it was in time.
      if (Atomics.compareExchange(this.word, 0, now, OVER) === now) return true;
    }
  }

  /** @returns false when it was over before */
  extend(deadlineMs: number, nowMs: number): boolean {
    for (;;) {
      if (this.isOver(nowMs)) return false;
      const now = Atomics.load(this.word, 0);
      if (now !== OVER && Atomics.compareExchange(this.word, 0, now, micros(deadlineMs)) === now) return true;
    }
  }

  end(): void {
    Atomics.store(this.word, 0, OVER);
  }
}

const micros = (ms: number): bigint => BigInt(Math.max(0, Math.min(Math.floor(ms * MICROS_PER_MS), MOST_MICROS)));

/** Enough for "never", and exact. */
const MOST_MICROS = Number.MAX_SAFE_INTEGER;
