import type { ScheduleJob } from '#shared/contracts/schedule';
import type { CatchUp } from '#shared/domain/schedule/catch-up';
import type { Overlap } from '#shared/domain/schedule/overlap';
import type { NamedStatement } from '#shared/store/database';

/** Milliseconds since 1970. */
export const millis = (expression: string): string => `(extract(epoch FROM ${expression}) * 1000)::float8`;

export interface ClaimedRow {
  readonly id: string;
  readonly cron: string;
  readonly timezone: string;
  readonly job: ScheduleJob;
  readonly overlap: Overlap;
  readonly catch_up: CatchUp;
  readonly next_ms: number;
  readonly now_ms: number;
  /** Of the job, as text. */
  readonly bytes: number;
}

/** By `schedules_due`. Several schedulers share the work: each takes what no other has locked, $2 bytes or a little more. */
export const CLAIM_DUE: NamedStatement = {
  name: 'claim_due_schedules',
  text: `
WITH due AS MATERIALIZED (
  SELECT id, cron, timezone, job, overlap, catch_up, next_at, octet_length(job::text) AS bytes FROM schedules
  WHERE next_at <= now() AND next_at IS NOT NULL ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
), sized AS (
  SELECT *, sum(bytes) OVER (ORDER BY next_at, id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM due
)
SELECT id, cron, timezone, job, overlap, catch_up, ${millis('next_at')} AS next_ms, ${millis('now()')} AS now_ms, bytes
FROM sized WHERE before < $2 ORDER BY next_at, id`,
};

export interface FactsRow {
  readonly id: string;
  readonly live: number;
  readonly newest: string | null;
  readonly taken: readonly number[];
}

/**
 * Jobs that have not ended, by `jobs_schedule_live`, as many as matter, with the newest while they are all read; and
 * runs that the due times have already. Read under the locks of the schedules: nobody else adds such rows meanwhile.
 */
export const READ_FACTS: NamedStatement = {
  name: 'read_schedule_facts',
  text: `
SELECT u.id, live.count AS live, live.newest, taken.at AS taken
FROM unnest($1::uuid[], $2::float8[]) AS u (id, since_ms)
CROSS JOIN LATERAL (
  SELECT count(*)::int AS count, (array_agg(j.id ORDER BY j.created_at DESC, j.id DESC))[1] AS newest
  FROM (SELECT id, created_at FROM jobs
        WHERE schedule_id = u.id AND schedule_id IS NOT NULL AND completed_at IS NULL LIMIT $3) j
) live
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(${millis('due_at')}), '{}') AS at FROM schedule_runs
  WHERE schedule_id = u.id AND due_at >= to_timestamp(u.since_ms / 1000)
) taken`,
};

/** A time that has a run already is an error: whoever holds the schedule's lock has looked. */
export const INSERT_RUNS: NamedStatement = {
  name: 'insert_schedule_runs',
  text: `
INSERT INTO schedule_runs (schedule_id, due_at, outcome, job_id)
SELECT schedule_id, to_timestamp(due_ms / 1000), outcome, job_id
FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::uuid[]) AS u (schedule_id, due_ms, outcome, job_id)`,
};

export const ADVANCE: NamedStatement = {
  name: 'advance_schedules',
  text: `
UPDATE schedules s
SET next_at = to_timestamp(u.next_ms / 1000), skipped_count = skipped_count + u.skipped,
    last_skipped_at = coalesce(to_timestamp(u.skipped_ms / 1000), last_skipped_at),
    missed_count = missed_count + u.missed, last_error = coalesce(u.error || jsonb_build_object('at', now()), last_error),
    runs_kept = runs_kept + u.runs
FROM unnest($1::uuid[], $2::float8[], $3::int[], $4::float8[], $5::int[], $6::jsonb[], $7::int[])
  AS u (id, next_ms, skipped, skipped_ms, missed, error, runs)
WHERE s.id = u.id
RETURNING s.id, s.runs_kept`,
};

/** By the key. @param $2 how many rows are kept, $3 one less */
export const PRUNE_RUNS: NamedStatement = {
  name: 'prune_schedule_runs',
  text: `
WITH gone AS (
  DELETE FROM schedule_runs r USING unnest($1::uuid[]) AS u (id)
  WHERE r.schedule_id = u.id AND r.due_at < (
    SELECT due_at FROM schedule_runs WHERE schedule_id = u.id ORDER BY due_at DESC OFFSET $3 LIMIT 1)
)
UPDATE schedules SET runs_kept = $2 WHERE id = ANY ($1::uuid[])`,
};

export const NEXT_DUE: NamedStatement = {
  name: 'next_due_schedule',
  text: `SELECT ${millis('min(next_at)')} - ${millis('now()')} AS in_ms FROM schedules WHERE next_at IS NOT NULL`,
};

export const PUT_OFF: NamedStatement = {
  name: 'put_off_schedule',
  text: `
UPDATE schedules SET last_error = $2::jsonb || jsonb_build_object('at', now()), next_at = to_timestamp($3::float8 / 1000)
WHERE id = $1 AND next_at IS NOT NULL`,
};
