import type { DataSource } from 'typeorm';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement, withClient } from '#shared/store/database';
import { micros } from '#shared/store/jobs/draft-statements';

/** A job that is being cancelled, as a worker is told of it. */
export interface CancelledJob {
  readonly id: string;
  readonly run: number;
}

/** One look of a worker at what is being cancelled. */
export interface CancelLook {
  readonly jobs: readonly CancelledJob[];
  /** Every cancel with a mark before this is among the jobs, or was over by then. */
  readonly until: Micros;
  /** The database's time of the look. */
  readonly at: Micros;
}

/** By `jobs_cancelling`. */
const LOOK: NamedStatement = {
  name: 'cancelling_jobs',
  text: `
SELECT id, run, ${micros('cancel_at')} AS cancel_us, ${micros('now()')} AS now_us FROM jobs
WHERE cancel_at IS NOT NULL AND status = 'cancelling' ORDER BY cancel_at LIMIT $1`,
};

/** Jobs in one look. More are seen by the next ones, when the first have ended. */
const MOST_AT_ONCE = 5_000;

const ACKNOWLEDGE: NamedStatement = {
  name: 'acknowledge_cancels',
  text: `
UPDATE workers SET polled_at = to_timestamp($2::bigint / 1000000.0::float8), winding_down = $3::uuid[] WHERE id = $1`,
};

/**
 * A statement of its own, after the commit of the cancel: whatever begins later than its time sees the cancel. (`now()`
 * is before the snapshot that a statement reads with.)
 */
const MARK: NamedStatement = {
  name: 'mark_cancels',
  text: `
UPDATE jobs SET cancel_mark = now()
WHERE cancel_at IS NOT NULL AND status = 'cancelling' AND cancel_mark IS NULL AND ($1::uuid IS NULL OR id = $1)
RETURNING id`,
};

/** By `jobs_cancelling`. A worker that came after the mark reads before it begins anything older. */
const ACKNOWLEDGED: NamedStatement = {
  name: 'acknowledged_cancels',
  text: `
SELECT j.id FROM jobs j
WHERE j.cancel_at IS NOT NULL AND j.status = 'cancelling' AND j.cancel_mark IS NOT NULL AND NOT EXISTS (
  SELECT FROM workers w
  WHERE w.lease_until > now() AND w.registered_at <= j.cancel_mark
    AND (w.polled_at IS NULL OR w.polled_at <= j.cancel_mark OR j.id = ANY (w.winding_down)))
ORDER BY j.cancel_at LIMIT $1`,
};

/** The way of a cancel from its commit to its end: marked, seen by every worker, stopped there, acknowledged. */
export class Cancels {
  constructor(private readonly database: DataSource) {}

  /** What is being cancelled: for a worker, which then says `acknowledge`. */
  look(limit = MOST_AT_ONCE): Promise<CancelLook> {
    return withClient(this.database, async (client) => {
      type Row = CancelledJob & { readonly cancel_us: string; readonly now_us: string };
      const rows = await execute<Row>(client, LOOK, [limit]);
      const [first] = rows;
      if (!first) return { jobs: [], until: 0, at: 0 };
      // Of more jobs than it shows, a look has seen those that were cancelled before the last one shown.
      const last = rows.length === limit ? rows.at(-1) : undefined;
      const at = Number(first.now_us);
      const until = Math.min(at, Number(last?.cancel_us ?? Infinity));
      return { jobs: rows.map(({ id, run }) => ({ id, run })), until, at };
    });
  }

  /**
   * Says that the worker has seen every cancel marked before `until`, will begin nothing of those jobs, and runs nothing
   * of them but of the ones named.
   */
  async acknowledge(worker: string, until: Micros, windingDown: readonly string[]): Promise<void> {
    await withClient(this.database, (client) => execute(client, ACKNOWLEDGE, [worker, until, windingDown]));
  }

  /** Marks cancels that have been committed: one, or all that have no mark yet. @returns how many */
  async mark(jobId: string | null = null): Promise<number> {
    return (await withClient(this.database, (client) => execute(client, MARK, [jobId]))).length;
  }

  /** Jobs whose cancel every live worker has acknowledged. They never need another look: nobody takes that back. */
  async acknowledged(limit: number): Promise<string[]> {
    const rows = await withClient(this.database, (client) => execute<{ id: string }>(client, ACKNOWLEDGED, [limit]));
    return rows.map((row) => row.id);
  }
}
