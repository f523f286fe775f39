interface Rest {
  readonly timer: NodeJS.Timeout;
  readonly resolve: (over: boolean) => void;
}

/**
 * Turns in a short back-off. The worker keeps their messages and takes them up itself when the time has come: JetStream's
 * own delays (a nak with one) come seconds late under load. Each such nak sets the server's timer to 10 ms from then, so
 * that a flow of them (200 a second) keeps everything from being delivered again (nats-server 2.12, `processNak`).
 */
export class RestingTurns {
  private readonly rests = new Set<Rest>();
  private draining = false;

  get size(): number {
    return this.rests.size;
  }

  /** Waits. Resolves true when the time is over, false when the worker drains meanwhile. */
  async wait(delayMs: number): Promise<boolean> {
    if (this.draining) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.rests.delete(rest);
        resolve(true);
      }, delayMs);
      const rest: Rest = { timer, resolve };
      this.rests.add(rest);
    });
  }

  /** Ends all waiting: the worker drains, others go on. */
  giveUp(): void {
    this.draining = true;
    for (const { timer, resolve } of this.rests) {
      clearTimeout(timer);
      resolve(false);
    }
    this.rests.clear();
  }
}
