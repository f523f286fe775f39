import type { PoolClient } from 'pg';
import type { NewJob } from '#shared/domain/new-job';
import { isEnded, type JobStatus } from '#shared/domain/status';
import type { Dependency, DependencyFailure, DependencyOutcome } from '#shared/domain/turn/job-hold';
import { execute, type NamedStatement } from '#shared/store/database';

/** By `jobs_pkey`, in id order as every lock of jobs. */
const LOCK_NEEDED: NamedStatement = {
  name: 'lock_needed_jobs',
  text: 'SELECT id, status FROM jobs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE',
};

const INSERT_DEPENDENCIES: NamedStatement = {
  name: 'insert_dependencies',
  text: `
INSERT INTO dependencies (job_id, needs_job_id, outcome, settled)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[])`,
};

/** Of one that has ended the dependant is to hear anew. */
const NOTE_DEPENDANTS: NamedStatement = {
  name: 'note_dependants',
  text: `
UPDATE jobs SET told = CASE WHEN status IN ('completed','failed','cancelled') THEN '' ELSE coalesce(told, 'live') END
WHERE id = ANY ($1::uuid[]) AND (told IS NULL OR status IN ('completed','failed','cancelled'))`,
};

/** By `dependencies_pkey`; those that are settled are left out later, so that no other index looks fit for it. */
export const READ_DEPENDENCIES: NamedStatement = {
  name: 'read_dependencies',
  text: `
SELECT job_id, needs_job_id, outcome, settled FROM dependencies
WHERE job_id = ANY ($1::uuid[]) ORDER BY job_id, needs_job_id`,
};

export const WRITE_DEPENDENCIES: NamedStatement = {
  name: 'write_dependencies',
  text: `
UPDATE dependencies d SET outcome = u.outcome, settled = u.settled
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[]) AS u (job_id, needs_job_id, outcome, settled)
WHERE d.job_id = u.job_id AND d.needs_job_id = u.needs_job_id`,
};

/** A new job's dependencies as they are to be stored. */
export interface Attached {
  readonly rows: readonly { readonly jobId: string; readonly dependency: Dependency }[];
  readonly unsettled: number;
  /** Ids of which there is no job. */
  readonly unknown: readonly string[];
}

const NONE: Attached = { rows: [], unsettled: 0, unknown: [] };

/** Locks the jobs that new ones need: none of them ends between the look at it and the dependant's commit. */
export async function lockNeededJobs(
  client: PoolClient,
  jobs: readonly NewJob[],
): Promise<{ attach(job: NewJob): Attached }> {
  const ids = [...new Set(jobs.flatMap((job) => job.dependsOn))];
  if (ids.length === 0) return { attach: () => NONE };
  const rows = await execute<{ id: string; status: JobStatus }>(client, LOCK_NEEDED, [ids]);
  const statusOf = new Map(rows.map((row) => [row.id, row.status]));
  return { attach: (job) => attach(job, statusOf) };
}

function attach({ id, dependsOn, onDependencyFailure }: NewJob, statusOf: ReadonlyMap<string, JobStatus>): Attached {
  const rows = dependsOn.flatMap((jobId) => {
    const status = statusOf.get(jobId);
    return status === undefined ? [] : [{ jobId: id, dependency: asItStands(jobId, status, onDependencyFailure) }];
  });
  return {
    rows,
    unsettled: rows.filter(({ dependency }) => !dependency.settled).length,
    unknown: dependsOn.filter((jobId) => !statusOf.has(jobId)),
  };
}

/** One that has failed is left to be told: the dependant's failure is a change of its own. */
function asItStands(jobId: string, status: JobStatus, onFailure: DependencyFailure): Dependency {
  const settled = status === 'completed' || (isEnded(status) && onFailure === 'run');
  return { jobId, outcome: settled ? (status as DependencyOutcome) : null, settled };
}

/** Stores the dependencies of jobs that have just been inserted, in the transaction that has locked what they need. */
export async function attachDependencies(client: PoolClient, attached: readonly Attached[]): Promise<void> {
  const rows = attached.flatMap((each) => each.rows);
  if (rows.length === 0) return;
  await execute(client, INSERT_DEPENDENCIES, columnsOf(rows));
  const unsettled = rows.filter(({ dependency }) => !dependency.settled);
  if (unsettled.length > 0) {
    await execute(client, NOTE_DEPENDANTS, [[...new Set(unsettled.map(({ dependency }) => dependency.jobId))]]);
  }
}

/** The unsettled dependencies of jobs that the transaction has locked, by job. */
export async function readDependencies(client: PoolClient, jobIds: string[]): Promise<Map<string, Dependency[]>> {
  type Row = {
    readonly job_id: string;
    readonly needs_job_id: string;
    readonly outcome: DependencyOutcome | null;
    readonly settled: boolean;
  };
  const found = new Map<string, Dependency[]>();
  if (jobIds.length === 0) return found;
  for (const { job_id, needs_job_id, outcome, settled } of await execute<Row>(client, READ_DEPENDENCIES, [jobIds])) {
    if (settled) continue;
    const known = found.get(job_id) ?? [];
    known.push({ jobId: needs_job_id, outcome, settled });
    found.set(job_id, known);
  }
  return found;
}

/** Writes what jobs have been told of others. */
export async function writeDependencies(
  client: PoolClient,
  rows: readonly { readonly jobId: string; readonly dependency: Dependency }[],
): Promise<void> {
  if (rows.length > 0) await execute(client, WRITE_DEPENDENCIES, columnsOf(rows));
}

const columnsOf = (rows: readonly { readonly jobId: string; readonly dependency: Dependency }[]): unknown[] => [
  rows.map(({ jobId }) => jobId),
  rows.map(({ dependency }) => dependency.jobId),
  rows.map(({ dependency }) => dependency.outcome),
  rows.map(({ dependency }) => dependency.settled),
];
