import type { JobStatus, Priority, StepRowStatus } from '#shared/domain/status';
import type { Dependency, DependencyFailure, JobHold } from '#shared/domain/turn/job-hold';
import type { JobFields, StepRow } from '#shared/domain/turn/job-draft';
import type { NamedStatement } from '#shared/store/database';

/** A timestamp as microseconds since 1970. */
export const micros = (expression: string): string => `(extract(epoch FROM ${expression}) * 1000000)::bigint`;

/** Microseconds since 1970 as a timestamp. Exact: today's values need 51 of a double's 53 bits. */
export const timestamp = (expression: string): string => `to_timestamp(${expression} / 1000000.0::float8)`;

export interface JobRow {
  readonly id: string;
  readonly pipeline_hash: string;
  readonly priority: Priority;
  readonly run: number;
  readonly status: JobStatus;
  readonly done: string;
  readonly dead: string;
  readonly open: string;
  readonly slow: string;
  readonly version: number;
  readonly dispatched_us: string | null;
  readonly started_us: string | null;
  readonly completed_us: string | null;
  readonly now_us: string;
  readonly eta_us: string | null;
  readonly needs_jobs: number;
  readonly on_dependency_failure: DependencyFailure | null;
  readonly has_dependants: boolean;
}

/** By `jobs_pkey`. The lock is taken in id order, so that two batches never wait for each other in a circle. */
export const LOCK_JOBS: NamedStatement = {
  name: 'lock_jobs',
  text: `
SELECT id, pipeline_hash, priority, run, status, done, dead, open, slow, version,
       ${micros('dispatched_at')} AS dispatched_us, ${micros('started_at')} AS started_us,
       ${micros('completed_at')} AS completed_us, ${micros('now()')} AS now_us, ${micros('eta')} AS eta_us,
       needs_jobs, on_dependency_failure, told IS NOT NULL AS has_dependants
FROM jobs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE`,
};

/** For tests that show what would go wrong without the lock. */
export const UNLOCKED_JOBS: NamedStatement = { name: 'unlocked_jobs', text: LOCK_JOBS.text.replace('FOR UPDATE', '') };

export interface StepRowRecord {
  readonly job_id: string;
  readonly idx: number;
  readonly status: StepRowStatus;
  readonly epoch: number;
  readonly attempts: number;
  readonly worker: string | null;
  readonly turn: number;
  readonly retry_count: number;
  readonly crashes: number;
  readonly next_retry_us: string | null;
  readonly awaits_scheduler: boolean;
  readonly held: boolean;
  readonly waits_for: string | null;
  readonly started_us: string | null;
  readonly completed_us: string | null;
  readonly duration_ms: number | null;
  readonly cpu_percent: number | null;
  readonly memory_mb: number | null;
  readonly last_error: StepRow['lastError'];
}

/** By `steps_pkey`. Without outputs: they may be large, and no rule looks at them. */
export const READ_STEPS: NamedStatement = {
  name: 'read_steps',
  text: `
SELECT job_id, idx, status, epoch, attempts, worker, turn, retry_count, crashes,
       ${micros('next_retry_at')} AS next_retry_us, awaits_scheduler, held, ${micros('started_at')} AS started_us,
       ${micros('completed_at')} AS completed_us, duration_ms, cpu_percent, memory_mb, last_error, waits_for
FROM steps WHERE job_id = ANY ($1::uuid[])`,
};

export const READ_LEASES: NamedStatement = {
  name: 'read_leases',
  text: `SELECT id, ${micros('lease_until')} AS lease_us FROM workers WHERE lease_until > now()`,
};

/** A step's own limit comes from the pipeline; later changes of it are kept. */
export const ADD_POOLS: NamedStatement = {
  name: 'add_pools',
  text: `INSERT INTO pools (name, max) SELECT * FROM unnest($1::text[], $2::int[]) ORDER BY 1 ON CONFLICT DO NOTHING`,
};

export const LOCK_POOLS: NamedStatement = {
  name: 'lock_pools',
  text: 'SELECT name, used, max FROM pools WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE',
};

export const WRITE_POOLS: NamedStatement = {
  name: 'write_pools',
  text: `UPDATE pools SET used = u.used FROM unnest($1::text[], $2::int[]) AS u (name, used) WHERE pools.name = u.name`,
};

/**
 * Writes drafts whose jobs this transaction has locked, by primary keys. $1–$10, $44–$47: a value per job; $11–$30: per
 * changed step row; $31–$43: per ended attempt. A new eta is given only where there is one: an old one may be too far in
 * the past to be carried exactly. A job that goes on after its end has to tell its dependants so. Progress stays through retries, so that a job's never falls within a run; a row that
 * is set back from its end begins a new one.
 */
export const WRITE_DRAFTS: NamedStatement = {
  name: 'write_drafts',
  text: `
WITH step_rows AS (
  INSERT INTO steps (job_id, idx, status, epoch, attempts, worker, turn, retry_count, crashes, next_retry_at,
                     awaits_scheduler, held, started_at, completed_at, duration_ms, cpu_percent, memory_mb, last_error,
                     output, waits_for)
  SELECT job_id, idx, status, epoch, attempts, worker, turn, retry_count, crashes, ${timestamp('next_retry_us')},
         awaits_scheduler, held, ${timestamp('started_us')}, ${timestamp('completed_us')}, duration_ms, cpu_percent,
         memory_mb, last_error, output, waits_for
  FROM unnest($11::uuid[], $12::smallint[], $13::text[], $14::int[], $15::int[], $16::text[], $17::smallint[],
              $18::int[], $19::int[], $20::bigint[], $21::boolean[], $22::boolean[], $23::bigint[], $24::bigint[],
              $25::float8[], $26::real[], $27::real[], $28::jsonb[], $29::jsonb[], $30::text[])
    AS r (job_id, idx, status, epoch, attempts, worker, turn, retry_count, crashes, next_retry_us, awaits_scheduler,
          held, started_us, completed_us, duration_ms, cpu_percent, memory_mb, last_error, output, waits_for)
  ON CONFLICT (job_id, idx) DO UPDATE SET
    status = excluded.status, epoch = excluded.epoch, attempts = excluded.attempts, worker = excluded.worker,
    turn = excluded.turn, retry_count = excluded.retry_count, crashes = excluded.crashes,
    next_retry_at = excluded.next_retry_at, awaits_scheduler = excluded.awaits_scheduler, held = excluded.held,
    started_at = excluded.started_at, completed_at = excluded.completed_at, duration_ms = excluded.duration_ms,
    cpu_percent = excluded.cpu_percent, memory_mb = excluded.memory_mb, last_error = excluded.last_error,
    progress = CASE WHEN excluded.status = 'queued' AND steps.status IN ('completed', 'failed', 'cancelled') THEN NULL
                    ELSE steps.progress END,
    message = CASE WHEN excluded.epoch = steps.epoch THEN steps.message END,
    output = coalesce(excluded.output, steps.output), waits_for = excluded.waits_for
), ended AS (
  INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, duration_ms, cpu_percent,
                        memory_mb, error, next_delay_ms)
  SELECT job_id, idx, epoch, number, worker, outcome, ${timestamp('started_us')}, ${timestamp('finished_us')},
         duration_ms, cpu_percent, memory_mb, error, next_delay_ms
  FROM unnest($31::uuid[], $32::smallint[], $33::int[], $34::int[], $35::text[], $36::text[], $37::bigint[],
              $38::bigint[], $39::float8[], $40::real[], $41::real[], $42::jsonb[], $43::float8[])
    AS a (job_id, idx, epoch, number, worker, outcome, started_us, finished_us, duration_ms, cpu_percent, memory_mb,
          error, next_delay_ms)
)
UPDATE jobs SET
  run = u.run, status = u.status, done = u.done, dead = u.dead, open = u.open, slow = u.slow,
  version = jobs.version + 1,
  dispatched_at = ${timestamp('u.dispatched_us')}, started_at = ${timestamp('u.started_us')},
  completed_at = ${timestamp('u.completed_us')},
  eta = coalesce(${timestamp('u.eta_us')}, jobs.eta),
  countdown = CASE WHEN u.eta_us IS NULL THEN jobs.countdown ELSE u.countdown END,
  due_at = CASE WHEN u.status = 'scheduled' THEN coalesce(${timestamp('u.eta_us')}, jobs.eta) END,
  needs_jobs = u.needs_jobs, error = coalesce(u.error, jobs.error),
  told = CASE WHEN u.run = jobs.run OR jobs.told IS NULL THEN jobs.told ELSE '' END,
  cancel_at = CASE WHEN u.status = 'cancelling' THEN coalesce(jobs.cancel_at, now()) END,
  cancel_mark = CASE WHEN u.status = 'cancelling' THEN jobs.cancel_mark END,
  queued_at = coalesce(CASE WHEN u.run = jobs.run THEN jobs.queued_at END, ${timestamp('u.dispatched_us')})
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $44::int[], $45::bigint[], $46::float8[], $47::jsonb[])
  AS u (id, run, status, done, dead, open, slow, dispatched_us, started_us, completed_us, needs_jobs, eta_us, countdown,
        error)
WHERE jobs.id = u.id`,
};

const microsOf = (text: string | null): number | null => (text === null ? null : Number(text));

export const jobFieldsOf = (row: JobRow): JobFields => ({
  id: row.id,
  priority: row.priority,
  run: row.run,
  status: row.status,
  done: BigInt(row.done),
  dead: BigInt(row.dead),
  open: BigInt(row.open),
  slow: BigInt(row.slow),
  version: row.version,
  dispatchedAt: microsOf(row.dispatched_us),
  startedAt: microsOf(row.started_us),
  completedAt: microsOf(row.completed_us),
});

/** @param dependencies those that are not settled */
export const jobHoldOf = (row: JobRow, dependencies: readonly Dependency[]): JobHold => ({
  eta: microsOf(row.eta_us),
  onDependencyFailure: row.on_dependency_failure ?? 'fail',
  dependencies,
  hasDependants: row.has_dependants,
});

export const stepRowOf = (row: StepRowRecord): StepRow => ({
  idx: row.idx,
  status: row.status,
  epoch: row.epoch,
  attempts: row.attempts,
  worker: row.worker,
  turn: row.turn,
  retryCount: row.retry_count,
  crashes: row.crashes,
  nextRetryAt: microsOf(row.next_retry_us),
  awaitsScheduler: row.awaits_scheduler,
  held: row.held,
  waitsFor: row.waits_for,
  startedAt: microsOf(row.started_us),
  completedAt: microsOf(row.completed_us),
  durationMs: row.duration_ms,
  cpuPercent: row.cpu_percent,
  memoryMb: row.memory_mb,
  lastError: row.last_error,
});
