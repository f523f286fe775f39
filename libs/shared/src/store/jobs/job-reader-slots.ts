import { Unavailable } from '#shared/domain/errors';

/** How many pieces of work may be under way at once; a bounded number waits, in order, the rest is turned away. */
export class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(
    count: number,
    private readonly maxWaiting: number,
  ) {
    this.free = count;
  }

  /** Runs `work` as soon as a slot is free. @throws Unavailable when too many wait already, or what `work` throws */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= this.maxWaiting) throw new Unavailable('Too many lists are being read at once.');
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
