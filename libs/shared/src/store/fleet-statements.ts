import type { NamedStatement } from '#shared/store/database';
import { micros } from '#shared/store/jobs/draft-statements';
import { READ_JOB_COUNTS } from '#shared/store/usage/job-counts';

/** Up to so many jobs that are at work, each of their steps is looked at. */
export const MOST_JOBS_LOOKED_AT = 2_000;
/** Of those who hold tokens of one pool so many are named. */
export const MOST_HOLDERS = 100;

export const COUNT_JOBS: NamedStatement = {
  name: 'fleet_job_counts',
  text: `SELECT status, sum(current) AS jobs FROM (${READ_JOB_COUNTS}) counted GROUP BY status`,
};

export const READ_POOLS: NamedStatement = { name: 'fleet_pools', text: 'SELECT name, used, max FROM pools' };

export const READ_QUEUES: NamedStatement = {
  name: 'fleet_queues',
  text: `SELECT DISTINCT unnest(queues) AS queue FROM workers WHERE lease_until > now()`,
};

/**
 * Open steps that nobody runs, of the oldest jobs that are at work: by `jobs_active` and `steps_pkey`. One that has crashed
 * keeps its tokens for its next owner. A step that has just begun may have no row yet.
 */
export const READY_STEPS: NamedStatement = {
  name: 'fleet_ready_steps',
  text: `
WITH at_work AS MATERIALIZED (
  SELECT id, pipeline_hash, open, dispatched_at FROM jobs
  WHERE active AND status <> 'cancelling' ORDER BY created_at, id LIMIT $1
)
SELECT a.pipeline_hash, i.idx, count(*)::int AS steps, ${micros('min(a.dispatched_at)')} AS since_us,
       (array_agg(a.id) FILTER (WHERE s.held))[1:${MOST_HOLDERS}] AS held_by
FROM at_work a
CROSS JOIN LATERAL generate_series(0, length(ltrim(a.open::bit(64)::text, '0')) - 1) AS i (idx)
LEFT JOIN LATERAL (SELECT status, held FROM steps WHERE job_id = a.id AND steps.idx = i.idx) s ON true
WHERE (a.open >> i.idx) & 1 = 1 AND coalesce(s.status, 'queued') IN ('queued', 'parked')
GROUP BY a.pipeline_hash, i.idx`,
};

/** By `steps_running` and `jobs_pkey`. */
export const RUNNING_STEPS: NamedStatement = {
  name: 'fleet_running_steps',
  text: `
SELECT pipeline_hash, idx, count(*)::int AS steps, NULL AS since_us,
       array_agg(job_id) FILTER (WHERE held AND place <= ${MOST_HOLDERS}) AS held_by
FROM (
  SELECT j.pipeline_hash, s.idx, s.job_id, s.held,
         row_number() OVER (PARTITION BY j.pipeline_hash, s.idx, s.held ORDER BY s.job_id) AS place
  FROM steps s JOIN jobs j ON j.id = s.job_id WHERE s.status = 'running'
) running GROUP BY pipeline_hash, idx`,
};

/** By `steps_retrying` and `jobs_pkey`. */
export const RETRYING_STEPS: NamedStatement = {
  name: 'fleet_retrying_steps',
  text: `
SELECT j.pipeline_hash, s.idx, count(*)::int AS steps, NULL AS since_us, NULL AS held_by
FROM steps s JOIN jobs j ON j.id = s.job_id WHERE s.status = 'retrying' GROUP BY j.pipeline_hash, s.idx`,
};

/** By `steps_parked` and `jobs_pkey`. */
export const PARKED_STEPS: NamedStatement = {
  name: 'fleet_parked_steps',
  text: `
SELECT j.pipeline_hash, s.idx, count(*)::int AS steps, ${micros('min(j.dispatched_at)')} AS since_us, NULL AS held_by
FROM steps s JOIN jobs j ON j.id = s.job_id WHERE s.status = 'parked' GROUP BY j.pipeline_hash, s.idx`,
};

/** By what a look is made: all but the first go by indexes, however long the history is. */
export const FLEET_STATEMENTS = [
  COUNT_JOBS,
  READ_POOLS,
  READ_QUEUES,
  READY_STEPS,
  RUNNING_STEPS,
  RETRYING_STEPS,
  PARKED_STEPS,
];
