import type { JobView } from '#shared/contracts/job';
import type { Logger } from '#shared/runtime/logger';
import { snapshotMessage } from './socket-messages';

/** What the sockets need of the store. */
export interface JobSnapshots {
  /** The job as it is now; null: there is none of that id. */
  get(jobId: string): Promise<JobView | null>;
  /** The versions of those of the jobs that exist. */
  versions(jobIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** A job as it was read, with the message that says so: made once, however many sockets send it. */
export interface Snapshot {
  readonly job: JobView;
  readonly message: string;
}

interface Waiting {
  readonly promise: Promise<Snapshot | null>;
  readonly begin: () => void;
}

/** Reads at once for all sockets together: what they ask for may not crowd out the requests of others. */
const MAX_READS = 4;
/** A connection that hangs may not hold up all sockets until the system notices. */
const READ_LIMIT_MS = 10_000;

/**
 * Reads jobs for the sockets, a few at a time. Whoever asks for a job whose read has not begun yet shares that read;
 * one that has begun may be too old for a later asker.
 */
export class SnapshotReader {
  private reading = 0;
  private storeIsAway = false;
  private readonly waiting = new Map<string, Waiting>();

  constructor(
    private readonly jobs: JobSnapshots,
    private readonly log: Logger,
  ) {}

  /** @throws what the store threw; it is logged here already */
  read(jobId: string): Promise<Snapshot | null> {
    const shared = this.waiting.get(jobId);
    if (shared) return shared.promise;
    let begin: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => (begin = resolve));
    const promise = turn.then(() => this.readNow(jobId));
    this.waiting.set(jobId, { promise, begin });
    this.beginNext();
    return promise;
  }

  /** The versions of those of the jobs that exist; null when the store is away. */
  async versions(jobIds: readonly string[]): Promise<ReadonlyMap<string, number> | null> {
    try {
      return await this.noting(this.jobs.versions(jobIds));
    } catch {
      return null;
    }
  }

  private beginNext(): void {
    while (this.reading < MAX_READS) {
      const next = this.waiting.entries().next();
      if (next.done) return;
      const [jobId, waiting] = next.value;
      this.waiting.delete(jobId);
      this.reading += 1;
      waiting.begin();
    }
  }

  private async readNow(jobId: string): Promise<Snapshot | null> {
    try {
      const job = await this.noting(this.jobs.get(jobId));
      return job && { job, message: snapshotMessage(job) };
    } finally {
      this.reading -= 1;
      this.beginNext();
    }
  }

  /** Says once that the store is away and once that it is back. */
  private async noting<T>(read: Promise<T>): Promise<T> {
    try {
      const result = await within(READ_LIMIT_MS, read);
      if (this.storeIsAway) this.log.info('live views can read jobs again');
      this.storeIsAway = false;
      return result;
    } catch (error) {
      if (!this.storeIsAway) this.log.error({ err: error }, 'live views cannot read jobs; they try again');
      this.storeIsAway = true;
      throw error;
    }
  }
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the store did not answer in ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
