export interface PacedReadOptions {
  /** How old an answer may be at least before it is read anew. Default 1,000 ms. */
  readonly leastMs?: number;
  /** The share of the time that may be spent reading. Default 0.05. */
  readonly share?: number;
}

/**
 * Something that is read for many: whoever asks while it is being read has that answer, and whoever asks soon afterwards
 * the last one; how soon depends on how long it took. What fails is not remembered.
 */
export class PacedRead<T> {
  private last: { readonly value: T; readonly readAtMs: number; readonly tookMs: number } | undefined;
  private reading: Promise<T> | undefined;

  constructor(
    private readonly read: () => Promise<T>,
    private readonly options: PacedReadOptions = {},
  ) {}

  /** @throws what the read throws */
  get(): Promise<T> {
    const { leastMs = 1_000, share = 0.05 } = this.options;
    const { last } = this;
    if (last && performance.now() - last.readAtMs < Math.max(leastMs, last.tookMs / share)) {
      return Promise.resolve(last.value);
    }
    this.reading ??= this.readNow().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readNow(): Promise<T> {
    const startedAtMs = performance.now();
    const value = await this.read();
    const readAtMs = performance.now();
    this.last = { value, readAtMs, tookMs: readAtMs - startedAtMs };
    return value;
  }
}
