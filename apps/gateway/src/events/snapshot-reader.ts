import type { JobView } from '#shared/contracts/job';
import type { Logger } from '#shared/runtime/logger';
import { snapshotMessage } from './socket-messages';

/** What the sockets need of the store. */
export interface JobSnapshots {
  /** Those of the jobs that exist, as they are now, by id. */
  getMany(jobIds: readonly string[]): Promise<ReadonlyMap<string, JobView>>;
  /** The versions of those of the jobs that exist. */
  versions(jobIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** A job as it was read, with the message that says so: made once, however many sockets send it. */
export interface Snapshot {
  readonly job: JobView;
  readonly message: string;
}

class Waiting {
  resolve: (snapshot: Snapshot | null) => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;
  readonly promise = new Promise<Snapshot | null>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Statements at once for all sockets together: what they ask for may not crowd out the requests of others. */
const MAX_READS = 2;
/** Jobs that one statement reads; they may be large. */
const JOBS_AT_ONCE = 16;
/** A connection that hangs may not hold up all sockets until the system notices. */
const READ_LIMIT_MS = 10_000;

/**
 * Reads jobs for the sockets: whatever is asked for while one read is under way makes up the next. Whoever asks for
 * a job whose read has not begun yet shares that read; one that has begun may be too old for a later asker.
 */
export class SnapshotReader {
  private reading = 0;
  private storeIsAway = false;
  private readonly waiting = new Map<string, Waiting>();

  constructor(
    private readonly jobs: JobSnapshots,
    private readonly log: Logger,
  ) {}

  /** The job as it is some time after now; null: there is none. @throws what the store threw; it is logged here */
  read(jobId: string): Promise<Snapshot | null> {
    let waiting = this.waiting.get(jobId);
    if (!waiting) {
      waiting = new Waiting();
      this.waiting.set(jobId, waiting);
      if (this.waiting.size === 1) queueMicrotask(() => this.readOn());
    }
    return waiting.promise;
  }

  /** The versions of those of the jobs that exist; null when the store is away. */
  async versions(jobIds: readonly string[]): Promise<ReadonlyMap<string, number> | null> {
    try {
      return await this.noting(this.jobs.versions(jobIds));
    } catch {
      return null;
    }
  }

  private readOn(): void {
    while (this.reading < MAX_READS && this.waiting.size > 0) {
      const batch = [...this.waiting].slice(0, JOBS_AT_ONCE);
      for (const [jobId] of batch) this.waiting.delete(jobId);
      void this.readNow(batch);
    }
  }

  private async readNow(batch: readonly (readonly [jobId: string, waiting: Waiting])[]): Promise<void> {
    this.reading += 1;
    try {
      const jobs = await this.noting(this.jobs.getMany(batch.map(([jobId]) => jobId)));
      for (const [jobId, waiting] of batch) {
        const job = jobs.get(jobId);
        waiting.resolve(job ? { job, message: snapshotMessage(job) } : null);
      }
    } catch (error) {
      for (const [, waiting] of batch) waiting.reject(error);
    } finally {
      this.reading -= 1;
      this.readOn();
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
