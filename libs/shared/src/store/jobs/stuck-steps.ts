import type { DataSource } from 'typeorm';
import type { Priority, StepRowStatus } from '#shared/domain/status';
import type { StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement, withClient } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';

/** A job that has steps handed out, as the sweep sees it. */
export interface ActiveJob {
  readonly id: string;
  readonly pipelineHash: string;
  readonly priority: Priority;
  readonly run: number;
  readonly open: StepSet;
  readonly dispatchedAt: Micros;
  readonly createdAt: Micros;
  /** Rows of its open steps. */
  readonly rows: readonly { readonly idx: number; readonly status: StepRowStatus }[];
}

/** Where a round of the sweep goes on. */
export interface SweepPosition {
  readonly createdAt: Micros;
  readonly id: string;
}

export const SWEEP_START: SweepPosition = { createdAt: 0, id: '00000000-0000-0000-0000-000000000000' };

/** By `jobs_active`, going round by keyset; the rows by `steps_pkey`. */
const ACTIVE_JOBS: NamedStatement = {
  name: 'active_jobs',
  text: `
SELECT j.id, j.pipeline_hash, j.priority, j.run, j.open, ${micros('j.dispatched_at')} AS dispatched_us,
       ${micros('j.created_at')} AS created_us,
       (SELECT coalesce(json_agg(json_build_object('idx', s.idx, 'status', s.status)), '[]')
        FROM steps s WHERE s.job_id = j.id) AS rows
FROM jobs j
WHERE j.active AND j.status <> 'cancelling' AND (j.created_at, j.id) > (${timestamp('$1::bigint')}, $2::uuid)
  AND j.created_at < ${timestamp('$3::bigint')} AND j.dispatched_at < now() - $4 * interval '1 millisecond'
ORDER BY j.created_at, j.id LIMIT $5`,
};

const NOW: NamedStatement = { name: 'database_time', text: `SELECT ${micros('clock_timestamp()')} AS now_us` };

/** By `steps_retrying`. */
const DUE_RETRIES: NamedStatement = {
  name: 'due_retries',
  text: `
SELECT job_id, idx FROM steps
WHERE status = 'retrying' AND awaits_scheduler AND next_retry_at <= now() ORDER BY next_retry_at LIMIT $1`,
};

const NEXT_RETRY: NamedStatement = {
  name: 'next_retry',
  text: `
SELECT extract(epoch FROM min(next_retry_at) - now())::float8 * 1000 AS in_ms FROM steps
WHERE status = 'retrying' AND awaits_scheduler`,
};

/**
 * By `steps_parked`: of each pool with room those that have waited longest (ids are in the order of their making), no more
 * than it has tokens. Those that wait for a full pool are not looked at, and a look takes of all pools in turn: steps of one
 * pool never stand in the way of another's.
 */
export const PARKED: NamedStatement = {
  name: 'parked_steps',
  text: `
SELECT s.job_id, s.idx FROM pools p CROSS JOIN LATERAL (
  SELECT job_id, idx, row_number() OVER (ORDER BY job_id, idx) AS place FROM steps
  WHERE status = 'parked' AND waits_for = p.name ORDER BY job_id, idx LIMIT least($1, p.max - p.used)
) s WHERE p.used < p.max ORDER BY s.place, s.job_id, s.idx LIMIT $1`,
};

export interface StepName {
  readonly jobId: string;
  readonly idx: number;
}

interface ActiveRow {
  readonly id: string;
  readonly pipeline_hash: string;
  readonly priority: Priority;
  readonly run: number;
  readonly open: string;
  readonly dispatched_us: string;
  readonly created_us: string;
  readonly rows: ActiveJob['rows'];
}

/** Finds steps that nobody moves. Only finds: each is moved by a rule that looks again under the job's lock. */
export class StuckSteps {
  constructor(private readonly database: DataSource) {}

  /**
   * Jobs that were handed out longer ago than the margin, from the position on.
   * @param createdBefore jobs created later cannot have been passed by any frontier
   */
  async activeJobs(from: SweepPosition, createdBefore: Micros, marginMs: number, limit: number): Promise<ActiveJob[]> {
    const values = [from.createdAt, from.id, createdBefore, marginMs, limit];
    return (await this.execute<ActiveRow>(ACTIVE_JOBS, values)).map((row) => ({
      id: row.id,
      pipelineHash: row.pipeline_hash,
      priority: row.priority,
      run: row.run,
      open: BigInt(row.open),
      dispatchedAt: Number(row.dispatched_us),
      createdAt: Number(row.created_us),
      rows: row.rows,
    }));
  }

  /** The database's time. */
  async now(): Promise<Micros> {
    return Number((await this.execute<{ now_us: string }>(NOW, []))[0]?.now_us);
  }

  dueRetries(limit: number): Promise<StepName[]> {
    return this.names(DUE_RETRIES, limit);
  }

  /** In how many milliseconds the next back-off that is left to the scheduler ends; null when there is none. */
  async nextRetryInMs(): Promise<number | null> {
    return (await this.execute<{ in_ms: number | null }>(NEXT_RETRY, []))[0]?.in_ms ?? null;
  }

  /** Parked steps that may have their tokens now: of each pool with room the first ones, as many as it has free. */
  parked(limit: number): Promise<StepName[]> {
    return this.names(PARKED, limit);
  }

  private async names(statement: NamedStatement, limit: number): Promise<StepName[]> {
    const rows = await this.execute<{ job_id: string; idx: number }>(statement, [limit]);
    return rows.map((row) => ({ jobId: row.job_id, idx: row.idx }));
  }

  private execute<Row>(statement: NamedStatement, values: unknown[]): Promise<Row[]> {
    return withClient(this.database, (client) => execute<Row>(client, statement, values));
  }
}
