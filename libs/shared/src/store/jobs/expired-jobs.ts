import type { DataSource } from 'typeorm';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';
import { LaneClient } from '#shared/store/lane-client';

/** Where a round through the jobs goes on. */
export interface ExpiryPosition {
  readonly createdAt: Micros;
  readonly id: string;
}

export const EXPIRY_START: ExpiryPosition = { createdAt: 0, id: '00000000-0000-0000-0000-000000000000' };

export interface ExpiryPage {
  /** Jobs that ended too long ago, in the order of their making. */
  readonly ids: readonly string[];
  /** Null: there are no more jobs so old. */
  readonly next: ExpiryPosition | null;
}

/**
 * By `jobs_created`, a page of jobs whatever they are: those that stay are few, or were made about when they ended. Many
 * are made at one instant, so that the id is needed too.
 */
export const EXPIRED_PAGE: NamedStatement = {
  name: 'expired_jobs_page',
  text: `
SELECT id, ${micros('created_at')} AS created_us,
       coalesce(status IN ('completed', 'failed', 'cancelled') AND completed_at < now() - $3 * interval '1 millisecond', false)
         AS is_expired
FROM jobs
WHERE created_at >= ${timestamp('$1::bigint')} AND (created_at > ${timestamp('$1::bigint')} OR id > $2::uuid)
  AND created_at < now() - $3 * interval '1 millisecond'
ORDER BY created_at, id LIMIT $4`,
};

/** Finds finished jobs that are kept no longer. Only finds: who deletes them looks again under their locks. */
export class ExpiredJobs {
  private readonly lane: LaneClient;

  constructor(
    database: DataSource,
    private readonly retentionMs: number,
  ) {
    this.lane = new LaneClient(database);
  }

  /** Looks at the next `limit` jobs in the order of their making, from the position on. Not for use by two at once. */
  page(from: ExpiryPosition, limit: number): Promise<ExpiryPage> {
    return this.lane.run(async (client) => {
      type Row = { readonly id: string; readonly created_us: string; readonly is_expired: boolean };
      const rows = await execute<Row>(client, EXPIRED_PAGE, [from.createdAt, from.id, this.retentionMs, limit]);
      const last = rows.at(-1);
      const next = last && rows.length === limit ? { createdAt: Number(last.created_us), id: last.id } : null;
      return { ids: rows.filter(({ is_expired }) => is_expired).map(({ id }) => id), next };
    });
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}
