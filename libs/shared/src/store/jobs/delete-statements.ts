import type { NamedStatement } from '#shared/store/database';

const ENDED = `('completed', 'failed', 'cancelled')`;

/** By `jobs_pkey`, in id order as every lock of jobs. */
export const LOCK_TO_DELETE: NamedStatement = {
  name: 'lock_jobs_to_delete',
  text: `
SELECT id, status, status IN ${ENDED} AS ended, untold FROM jobs
WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE`,
};

/** The same for who can as well come again later: what somebody else has locked is left out. */
export const LOCK_FREE_TO_DELETE: NamedStatement = {
  name: 'lock_free_jobs_to_delete',
  text: `${LOCK_TO_DELETE.text} SKIP LOCKED`,
};

/**
 * Their dependencies on both sides, by `dependencies_pkey` and `dependencies_unsettled`: locked in the order in which others
 * write them. After the locks of the jobs, so that no dependant comes in between. What is settled nobody asks for any more:
 * it goes with the dependant.
 */
export const LOCK_THEIR_DEPENDENCIES: NamedStatement = {
  name: 'lock_dependencies_to_delete',
  text: `
SELECT FROM dependencies WHERE job_id = ANY ($1::uuid[]) OR needs_job_id = ANY ($1::uuid[]) AND NOT settled
ORDER BY job_id, needs_job_id FOR UPDATE`,
};

/** Of each job one that needs it and has not ended, by `dependencies_unsettled` and `jobs_pkey`. */
export const NEEDED_BY: NamedStatement = {
  name: 'needed_by_live_jobs',
  text: `
SELECT u.id, d.job_id FROM unnest($1::uuid[]) AS u (id)
CROSS JOIN LATERAL (
  SELECT d.job_id FROM dependencies d JOIN jobs j ON j.id = d.job_id
  WHERE d.needs_job_id = u.id AND NOT d.settled AND j.status NOT IN ${ENDED} ORDER BY d.job_id LIMIT 1
) d`,
};

/**
 * Attempts of minutes that may be counted anew. Nobody folds a minute between this and the commit that would not find them
 * in one table or the other.
 */
export const KEEP_ATTEMPTS: NamedStatement = {
  name: 'keep_deleted_attempts',
  text: `
INSERT INTO deleted_attempts (finished_at, pipeline_hash, idx, outcome, error_kind, retried, duration_ms, cpu_percent,
                              memory_mb)
SELECT a.finished_at, j.pipeline_hash, a.idx, a.outcome, a.error ->> 'kind', a.next_delay_ms IS NOT NULL, a.duration_ms,
       a.cpu_percent, a.memory_mb
FROM jobs j JOIN attempts a ON a.job_id = j.id
WHERE j.id = ANY ($1::uuid[])
  AND a.finished_at >= coalesce((SELECT at FROM rollup_marks WHERE name = 'folded'), '-infinity')`,
};

const deleteOf = (table: string): NamedStatement => ({
  name: `delete_${table}_of_jobs`,
  text: `DELETE FROM ${table} WHERE job_id = ANY ($1::uuid[])`,
});

/** By primary keys. The job goes last, with the trigger that counts it. */
export const DELETE_ALL: readonly NamedStatement[] = [
  ...['logs', 'dead_letters', 'attempts', 'steps', 'dependencies'].map(deleteOf),
  {
    name: 'delete_dependencies_on_jobs',
    text: 'DELETE FROM dependencies WHERE needs_job_id = ANY ($1::uuid[]) AND NOT settled',
  },
  { name: 'delete_jobs', text: 'DELETE FROM jobs WHERE id = ANY ($1::uuid[])' },
];
