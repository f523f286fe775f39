import { MAX_LINES_PER_ATTEMPT } from '#shared/store/step-reports';
import type { AttemptView } from '#shared/contracts/job';
import type { LogLevel } from '#shared/contracts/handler';
import type { NamedStatement } from '#shared/store/database';
import type { JobRecord, StepRecord } from '#shared/store/jobs/job-view';

/** Columns of `jobs j` that a view is made of. */
export const JOB_COLUMNS = `
j.id, j.pipeline, j.pipeline_hash, j.source, j.source_type, j.branch, j.commit, j.input, j.status, j.priority, j.done,
j.dead, j.open, j.version, j.eta, j.countdown, j.created_at, j.queued_at, j.started_at, j.completed_at, j.tags,
j.description, j.idempotency_key, j.depends_on, j.on_dependency_failure, j.schedule_id, j.error, now() AS now`;

/** The rows of the steps of `jobs j`, in the same statement, so that they fit the job's. By `steps_pkey`. */
export const STEP_ROWS = `
(SELECT json_agg(r) FROM (
   SELECT idx, status, attempts, worker, retry_count, next_retry_at, progress, message, started_at, completed_at,
          duration_ms, cpu_percent, memory_mb, last_error, output
   FROM steps WHERE job_id = j.id) r) AS steps`;

/** A job's row as `JOB_COLUMNS` and `STEP_ROWS` give it. */
export interface JobWithSteps extends Omit<JobRecord, 'done' | 'dead' | 'open'> {
  readonly done: string;
  readonly dead: string;
  readonly open: string;
  readonly now: Date;
  readonly steps: readonly StepRecord[] | null;
}

/** By `jobs_pkey`. */
export const READ_JOBS: NamedStatement = {
  name: 'read_jobs_with_steps',
  text: `SELECT ${JOB_COLUMNS}, ${STEP_ROWS} FROM jobs j WHERE j.id = ANY ($1::uuid[])`,
};

/** By `jobs_idempotency_key`. */
export const READ_KEYS: NamedStatement = {
  name: 'read_jobs_of_keys',
  text: 'SELECT id, idempotency_key, request_hash FROM jobs WHERE idempotency_key = ANY ($1::text[])',
};

export const READ_VERSIONS: NamedStatement = {
  name: 'read_job_versions',
  text: 'SELECT id, version FROM jobs WHERE id = ANY ($1::uuid[])',
};

export interface AttemptRecord extends Omit<AttemptView, 'step'> {
  readonly idx: number;
}

/** Attempts that have ended have a row each; one that runs is known by its step's row. By primary keys. */
export const READ_ATTEMPTS: NamedStatement = {
  name: 'read_attempts',
  text: `
SELECT j.pipeline_hash, (SELECT json_agg(a ORDER BY idx, number) FROM (
   SELECT idx, number, worker, started_at, finished_at, outcome, error, duration_ms, cpu_percent, memory_mb,
          next_delay_ms
   FROM attempts WHERE job_id = j.id
   UNION ALL
   SELECT idx, attempts + 1, worker, coalesce(started_at, now()), NULL, NULL, NULL, NULL, NULL, NULL, NULL
   FROM steps WHERE job_id = j.id AND status = 'running') a) AS attempts
FROM jobs j WHERE j.id = $1`,
};

export interface LogRecord {
  readonly idx: number;
  readonly at: Date;
  readonly level: LogLevel;
  readonly attempt: number;
  readonly message: string;
}

/** Lines of a job that are shown at once: the last ones. */
export const MAX_LINES = 10_000;

/** $2 the step's index, $3 the attempt; null = all. By `logs_pkey`. */
export const READ_LOGS: NamedStatement = {
  name: 'read_logs',
  text: `
SELECT idx, attempt, at, level, message FROM (
  SELECT *, row_number() OVER (PARTITION BY idx, attempt ORDER BY id DESC) AS from_end
  FROM logs WHERE job_id = $1 AND ($2::smallint IS NULL OR idx = $2) AND ($3::int IS NULL OR attempt = $3)
  ORDER BY id DESC LIMIT ${MAX_LINES}) l
WHERE from_end <= ${MAX_LINES_PER_ATTEMPT} ORDER BY id`,
};
