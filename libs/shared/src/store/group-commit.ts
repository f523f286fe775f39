import { isPassingDatabaseError } from '#shared/store/database-error';

/** More waits than the queue may hold: the caller should say "try again later". */
export class QueueFull extends Error {
  override readonly name = 'QueueFull';
}

export interface GroupCommitOptions<Item, Result> {
  /**
   * Commits all items at once and returns a result for each, in order. Never called while it runs. A batch that fails for
   * good is committed again item by item, so that one bad item fails alone.
   */
  readonly commit: (items: Item[]) => Promise<Result[]>;
  /** Items with the same key never share a batch: the later one waits for the next. */
  readonly keyOf?: (item: Item) => string;
  readonly maxBatch?: number;
  readonly maxQueued?: number;
  /** Called before each batch is taken: the owner's last chance to add what else should be recorded. */
  readonly beforeBatch?: () => void;
}

interface Entry<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits in groups without a timer: what arrives while one batch is under way makes up the next.
 * When idle, an item is committed at the end of the current turn of the event loop.
 */
export class GroupCommit<Item, Result> {
  private queue: Entry<Item, Result>[] = [];
  private running = false;
  private idleWaiters: (() => void)[] = [];

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {}

  get queued(): number {
    return this.queue.length;
  }

  /** Resolves after the commit that holds the item. @throws QueueFull, or what the commit threw */
  add(item: Item): Promise<Result> {
    if (this.queue.length >= (this.options.maxQueued ?? 50_000)) {
      return Promise.reject(new QueueFull(`${this.queue.length} writes are already waiting for the database`));
    }
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject });
      this.wake();
    });
  }

  /** Makes a batch start soon even though nothing was added: `beforeBatch` may add something. */
  wake(): void {
    if (this.running) return;
    this.running = true;
    setImmediate(() => void this.run());
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    if (!this.running && this.queue.length === 0) return;
    await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  private async run(): Promise<void> {
    this.options.beforeBatch?.();
    while (this.queue.length > 0) {
      await this.commitBatch(this.takeBatch());
      this.options.beforeBatch?.();
    }
    this.running = false;
    const waiters = this.idleWaiters;
    this.idleWaiters = [];
    for (const resolve of waiters) resolve();
  }

  private takeBatch(): Entry<Item, Result>[] {
    const { keyOf, maxBatch = 1_000 } = this.options;
    if (!keyOf) return this.queue.splice(0, maxBatch);
    const batch: Entry<Item, Result>[] = [];
    const rest: Entry<Item, Result>[] = [];
    const keys = new Set<string>();
    for (const entry of this.queue) {
      const key = keyOf(entry.item);
      if (batch.length >= maxBatch || keys.has(key)) {
        rest.push(entry);
      } else {
        keys.add(key);
        batch.push(entry);
      }
    }
    this.queue = rest;
    return batch;
  }

  private async commitBatch(batch: Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await this.options.commit(batch.map((entry) => entry.item));
      batch.forEach((entry, index) => entry.resolve(results[index] as Result));
    } catch (error) {
      if (batch.length > 1 && !isPassingDatabaseError(error)) {
        for (const entry of batch) await this.commitBatch([entry]);
        return;
      }
      for (const entry of batch) entry.reject(error);
    }
  }
}
