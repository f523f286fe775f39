import type { DataSource } from 'typeorm';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement, withClient } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';

/** A job that is being cancelled, as a worker is told of it. */
export interface CancelledJob {
  readonly id: string;
  readonly run: number;
}

/** Where a look goes on that does not show all. */
export interface LookPosition {
  readonly cancelAt: Micros;
  readonly id: string;
}

/** One page of a worker's look at what is being cancelled, oldest first. */
export interface CancelLook {
  readonly jobs: readonly CancelledJob[];
  /**
   * The database's time. Every cancel with a mark before that of the first page is on a page, or was over by then. (Not
   * one before the last cancel shown: marks come later, and of many at once all of them may.)
   */
  readonly at: Micros;
  /** Null: that is all. */
  readonly next: LookPosition | null;
}

export const LOOK_START: LookPosition = { cancelAt: 0, id: '00000000-0000-0000-0000-000000000000' };

/** By `jobs_cancelling`. */
const LOOK: NamedStatement = {
  name: 'cancelling_jobs',
  text: `
SELECT id, run, ${micros('cancel_at')} AS cancel_us, ${micros('now()')} AS now_us FROM jobs
WHERE cancel_at IS NOT NULL AND status = 'cancelling' AND (cancel_at, id) > (${timestamp('$1::bigint')}, $2::uuid)
ORDER BY cancel_at, id LIMIT $3`,
};

/** Jobs on one page of a look. */
const PAGE = 5_000;

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

  /** What is being cancelled, a page from the position on: for a worker, which says `acknowledge` after the last. */
  look(from: LookPosition, limit = PAGE): Promise<CancelLook> {
    return withClient(this.database, async (client) => {
      type Row = CancelledJob & { readonly cancel_us: string; readonly now_us: string };
      const rows = await execute<Row>(client, LOOK, [from.cancelAt, from.id, limit]);
      const last = rows.at(-1);
      const next = last && rows.length === limit ? { cancelAt: Number(last.cancel_us), id: last.id } : null;
      return { jobs: rows.map(({ id, run }) => ({ id, run })), at: Number(rows[0]?.now_us ?? 0), next };
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
