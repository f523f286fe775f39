import { jobStatesAllowing } from '#shared/domain/transitions';
import type { NamedStatement } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';

const LIVE = [...new Set([...jobStatesAllowing('begin'), ...jobStatesAllowing('complete')])]
  .filter((status) => status !== 'completed')
  .map((status) => `'${status}'`)
  .join(', ');

/**
 * The settle statement of the turn protocol for turns that have read nothing: completes steps, records their attempts,
 * records what still runs, moves the jobs, and says what became ready. One row per turn; of a job at most one.
 *
 * - All or nothing per turn: the guards look at the job's row alone, which is locked first and therefore fresh.
 * - `seg` completed, `rec` still running, `pre` those of both that the job must have open already (the others were opened
 *   by `seg` itself), `keepable` steps that the turn may go on with.
 * - Arrays are walked by index instead of joined, so that every plan goes by primary key (see LaneClient).
 *
 * $1–$11 per turn: job, run, seg, rec, pre, keepable, head, first and last candidate, first and last step; $12, $13
 * candidates (steps that need one of `seg`): index, needs; $14–$20 per step: index, started, finished, duration, CPU,
 * memory, whether it completed; $21 outputs, one JSON array; $22 the worker.
 */
export const FAST_SETTLE: NamedStatement = {
  name: 'fast_settle',
  text: `
WITH locked AS MATERIALIZED (
  SELECT u.*, j.status, j.done, j.dead, j.open
  FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[],
              $8::int[], $9::int[], $10::int[], $11::int[])
    AS u (job, run, seg, rec, pre, keepable, head, first_candidate, last_candidate, first_step, last_step)
  CROSS JOIN LATERAL (
    SELECT status, done, dead, open FROM jobs
    WHERE id = u.job AND jobs.run = u.run AND status IN (${LIVE})
      AND (done | dead | slow) & (u.seg | u.rec) = 0 AND open & u.pre = u.pre
    FOR UPDATE
  ) j
), settled AS MATERIALIZED (
  SELECT l.*, coalesce(ready.steps, 0) AS new, ready.kept
  FROM locked l CROSS JOIN LATERAL (
    SELECT bit_or(1::bigint << c.idx) AS steps, min(c.idx) FILTER (WHERE (l.keepable >> c.idx) & 1 = 1) AS kept
    FROM (SELECT ($12::smallint[])[k] AS idx, ($13::bigint[])[k] AS needs
          FROM generate_series(l.first_candidate, l.last_candidate) k) c
    WHERE l.status <> 'cancelling' AND c.needs & ~(l.done | l.seg) = 0
      AND ((l.open | l.done | l.dead | l.seg | l.rec) >> c.idx) & 1 = 0
  ) ready
), ended AS (
  INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, duration_ms, cpu_percent,
                        memory_mb)
  SELECT s.job, ($14::smallint[])[k], 1, 1, $22::text, 'completed', ${timestamp('($15::bigint[])[k]')},
         ${timestamp('($16::bigint[])[k]')}, ($17::float8[])[k], ($18::real[])[k], ($19::real[])[k]
  FROM settled s CROSS JOIN LATERAL generate_series(s.first_step, s.last_step) k
  WHERE ($20::boolean[])[k]
), step_rows AS (
  INSERT INTO steps (job_id, idx, status, epoch, attempts, worker, turn, started_at, completed_at, duration_ms,
                     cpu_percent, memory_mb, output)
  SELECT s.job, ($14::smallint[])[k], CASE WHEN ($20::boolean[])[k] THEN 'completed' ELSE 'running' END, 1,
         CASE WHEN ($20::boolean[])[k] THEN 1 ELSE 0 END, $22::text, s.head, ${timestamp('($15::bigint[])[k]')},
         CASE WHEN ($20::boolean[])[k] THEN ${timestamp('($16::bigint[])[k]')} END,
         CASE WHEN ($20::boolean[])[k] THEN ($17::float8[])[k] END,
         CASE WHEN ($20::boolean[])[k] THEN ($18::real[])[k] END,
         CASE WHEN ($20::boolean[])[k] THEN ($19::real[])[k] END,
         CASE WHEN ($20::boolean[])[k] THEN ($21::jsonb) -> (k - 1) END
  FROM settled s CROSS JOIN LATERAL generate_series(s.first_step, s.last_step) k
  UNION ALL
  SELECT s.job, s.kept, 'running', 1, 0, $22::text, s.head, now(), NULL, NULL, NULL, NULL, NULL
  FROM settled s WHERE s.kept IS NOT NULL
  ON CONFLICT (job_id, idx) DO UPDATE SET
    status = excluded.status, attempts = excluded.attempts, worker = excluded.worker, turn = excluded.turn,
    started_at = excluded.started_at, completed_at = excluded.completed_at, duration_ms = excluded.duration_ms,
    cpu_percent = excluded.cpu_percent, memory_mb = excluded.memory_mb, output = excluded.output
  WHERE steps.status = 'running' AND steps.epoch = 1
)
UPDATE jobs SET
  done = s.done | s.seg,
  open = (s.open & ~s.seg) | s.rec | s.new,
  status = CASE WHEN (s.open & ~s.seg) | s.rec | s.new <> 0 OR s.status = 'cancelling' AND s.done | s.seg <> all_steps
                  THEN CASE WHEN s.status = 'pending' THEN 'running' ELSE s.status END
                WHEN s.done | s.seg = all_steps THEN 'completed'
                WHEN s.done | s.seg | s.dead = all_steps THEN 'failed'
                ELSE 'running' END,
  version = jobs.version + 1,
  cancel_at = CASE WHEN s.done | s.seg <> all_steps THEN jobs.cancel_at END,
  dispatched_at = CASE WHEN s.new <> 0 THEN now() ELSE jobs.dispatched_at END,
  started_at = coalesce(jobs.started_at, ${timestamp('($15::bigint[])[s.first_step]')}),
  completed_at = CASE WHEN (s.open & ~s.seg) | s.rec | s.new = 0
                       AND (s.done | s.seg = all_steps
                            OR s.status <> 'cancelling' AND s.done | s.seg | s.dead = all_steps) THEN now() END
FROM settled s
WHERE jobs.id = s.job
RETURNING jobs.id, jobs.status, jobs.version, jobs.untold, s.status AS status_before, s.new, s.kept,
          ${micros('jobs.dispatched_at')} AS dispatched_us`,
};

/** For tests that show what it would do without its fence. */
export const UNFENCED_FAST_SETTLE: NamedStatement = {
  name: 'fast_settle_unfenced',
  text: FAST_SETTLE.text.replace('(done | dead | slow)', '(done | dead)'),
};
