import type { DataSource } from 'typeorm';
import type { WorkData } from '#shared/contracts/work-message';
import type { Priority } from '#shared/domain/status';
import type { StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';
import { execute, type NamedStatement } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';
import { LaneClient } from '#shared/store/lane-client';

/** A held job whose time has come: its roots need messages, or it waits for other jobs. */
export interface ReleasedJob {
  readonly id: string;
  readonly run: number;
  readonly status: 'pending' | 'waiting';
  readonly pipelineHash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly opened: StepSet;
  readonly releasedAt: Micros;
  /** Left out when it is large: a batch of those would not fit into memory. Whoever runs the job reads it. */
  readonly data: WorkData | undefined;
}

type ReleasedRow = Omit<WorkData, 'outputs'> & {
  readonly is_small: boolean;
  readonly id: string;
  readonly pipeline_hash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly run: number;
  readonly status: 'pending' | 'waiting';
  readonly open: string;
  readonly released_us: string;
};

/**
 * As it is stored, compressed perhaps. The statement holds its locks until all is sent: what is sent has to fit into the
 * buffers on the way, or a scheduler that stands still keeps its whole batch from the others.
 */
const IS_SMALL = 'pg_column_size(input) + pg_column_size(options) <= 2000';

/** By `jobs_due`. Several schedulers share the work: each takes what no other has locked. Nothing before its time. */
const RELEASE_DUE: NamedStatement = {
  name: 'release_due_jobs',
  text: `
WITH due AS MATERIALIZED (
  SELECT id FROM jobs WHERE due_at <= now() AND due_at IS NOT NULL ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET
  due_at = NULL, version = version + 1,
  status = CASE WHEN needs_jobs = 0 THEN 'pending' ELSE 'waiting' END,
  open = CASE WHEN needs_jobs = 0 THEN roots ELSE 0 END,
  dispatched_at = CASE WHEN needs_jobs = 0 THEN now() END,
  queued_at = CASE WHEN needs_jobs = 0 THEN now() END
FROM due WHERE jobs.id = due.id AND status = 'scheduled'
RETURNING jobs.id, run, pipeline_hash, priority, version, status, open, ${micros('now()')} AS released_us, source,
          source_type, branch, commit, ${IS_SMALL} AS is_small, CASE WHEN ${IS_SMALL} THEN input END AS input,
          CASE WHEN ${IS_SMALL} THEN options END AS options`,
};

/** For tests that show what it would do without the due time, or by the clock of whoever asks. */
const RELEASE_ANY: NamedStatement = {
  name: 'release_any_jobs',
  text: RELEASE_DUE.text.replace('due_at <= now() AND', ''),
};
const RELEASE_BY_OWN_CLOCK: NamedStatement = {
  name: 'release_jobs_by_own_clock',
  text: RELEASE_DUE.text.replace('due_at <= now()', `due_at <= ${timestamp('$2::bigint')}`),
};

const NEXT_DUE: NamedStatement = {
  name: 'next_due_job',
  text: `SELECT extract(epoch FROM min(due_at) - now())::float8 * 1000 AS in_ms FROM jobs WHERE due_at IS NOT NULL`,
};

/** Held jobs and the moment they are due, by the database's clock. */
export class DueJobs {
  private readonly lane: LaneClient;

  constructor(database: DataSource) {
    this.lane = new LaneClient(database);
  }

  /** Releases at most `limit` jobs that are due. (The release statement of the turn protocol.) */
  async release(limit: number): Promise<ReleasedJob[]> {
    const [statement, ...values] = releaseStatement();
    const rows = await this.lane.run((client) => execute<ReleasedRow>(client, statement, [limit, ...values]));
    return rows.map(({ id, run, status, pipeline_hash, priority, version, open, released_us, is_small, ...data }) => ({
      ...{ id, run, status },
      pipelineHash: pipeline_hash,
      priority,
      version,
      opened: BigInt(open),
      releasedAt: Number(released_us),
      data: is_small ? { ...data, outputs: {} } : undefined,
    }));
  }

  /** In how many milliseconds the next job is due; null when none is held. */
  async nextInMs(): Promise<number | null> {
    const rows = await this.lane.run((client) => execute<{ in_ms: number | null }>(client, NEXT_DUE, []));
    return rows[0]?.in_ms ?? null;
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}

function releaseStatement(): [NamedStatement, ...unknown[]] {
  if (!guardHolds('scheduler.waits_for_due')) return [RELEASE_ANY];
  if (!guardHolds('scheduler.database_time')) return [RELEASE_BY_OWN_CLOCK, Date.now() * 1_000];
  return [RELEASE_DUE];
}
