/** Does something at once when there is a reason, then no more often than every so many milliseconds. */
export class Pace {
  private timer: NodeJS.Timeout | undefined;
  private doneAtMs = -Infinity;

  constructor(
    private readonly everyMs: number,
    private readonly act: () => void,
  ) {}

  /** There is a reason. */
  due(): void {
    if (this.timer) return;
    const leftMs = this.doneAtMs + this.everyMs - performance.now();
    if (leftMs <= 0) this.actNow();
    else this.timer = setTimeout(() => this.actNow(), leftMs);
  }

  /** Does it a last time, whether or not there is a reason. */
  end(): void {
    this.actNow();
  }

  private actNow(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.act();
    this.doneAtMs = performance.now();
  }
}
