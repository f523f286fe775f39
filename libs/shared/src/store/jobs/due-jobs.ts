import type { DataSource } from 'typeorm';
import type { WorkData } from '#shared/contracts/work-message';
import type { Priority } from '#shared/domain/status';
import type { StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement } from '#shared/store/database';
import { micros } from '#shared/store/jobs/draft-statements';
import { LaneClient } from '#shared/store/lane-client';

/** A held job that this call has released: its roots need messages. */
export interface ReleasedJob {
  readonly id: string;
  readonly pipelineHash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly opened: StepSet;
  readonly dispatchedAt: Micros;
  readonly data: WorkData;
}

type ReleasedRow = Omit<WorkData, 'outputs'> & {
  readonly id: string;
  readonly pipeline_hash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly open: string;
  readonly dispatched_us: string;
};

/** By `jobs_due`. Several schedulers share the work: each takes what no other has locked. Nothing before its time. */
const RELEASE_DUE: NamedStatement = {
  name: 'release_due_jobs',
  text: `
WITH due AS MATERIALIZED (
  SELECT id FROM jobs WHERE due_at <= now() AND due_at IS NOT NULL ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET status = 'pending', open = roots, due_at = NULL, dispatched_at = now(), queued_at = now(),
                version = version + 1
FROM due WHERE jobs.id = due.id AND status = 'scheduled'
RETURNING jobs.id, pipeline_hash, priority, version, open, ${micros('dispatched_at')} AS dispatched_us, source,
          source_type, branch, commit, input, options`,
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
    const rows = await this.lane.run((client) => execute<ReleasedRow>(client, RELEASE_DUE, [limit]));
    return rows.map(({ id, pipeline_hash, priority, version, open, dispatched_us, ...data }) => ({
      id,
      pipelineHash: pipeline_hash,
      priority,
      version,
      opened: BigInt(open),
      dispatchedAt: Number(dispatched_us),
      data: { ...data, outputs: {} },
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
