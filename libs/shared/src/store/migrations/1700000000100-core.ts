import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The core's tables. What must stay true of them:
 * - Columns that change while a job runs are in no index, so that updates stay inside the page (HOT). The indexes
 *   below lean on generated columns, whose value changes only when a job ends.
 * - No foreign keys between them: each check would lock and read the parent on the hottest inserts; jobs are deleted
 *   by one statement that takes all that belongs to them.
 * - A `jobs` row alone decides what its steps may do; `dispatched_at` is deliberately not indexed.
 */
export class Core1700000000100 implements MigrationInterface {
  readonly name = 'Core1700000000100';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [PIPELINES, JOBS, JOB_INDEXES, STEPS, STEP_INDEXES, ATTEMPTS, LOGS, WORKERS, POOLS]) {
      await runner.query(statement);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE pools, workers, logs, attempts, steps, jobs, pipelines');
  }
}

const PIPELINES = `
CREATE TABLE pipelines (
  hash        text PRIMARY KEY,
  name        text NOT NULL,
  definition  jsonb NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
)`;

const JOBS = `
CREATE TABLE jobs (
  id               uuid PRIMARY KEY,
  pipeline_hash    text NOT NULL,
  pipeline         text NOT NULL,
  status           text NOT NULL CHECK (status IN
    ('scheduled','waiting','pending','running','cancelling','completed','failed','cancelled')),
  priority         text NOT NULL CHECK (priority IN ('high','default','low')),
  run              int NOT NULL DEFAULT 1,
  all_steps        bigint NOT NULL,
  roots            bigint NOT NULL,
  done             bigint NOT NULL DEFAULT 0,
  dead             bigint NOT NULL DEFAULT 0,
  open             bigint NOT NULL DEFAULT 0,
  slow             bigint NOT NULL DEFAULT 0,
  version          int NOT NULL DEFAULT 1,
  dispatched_at    timestamptz,
  due_at           timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now(),
  queued_at        timestamptz,
  started_at       timestamptz,
  completed_at     timestamptz,
  eta              timestamptz,
  countdown        double precision,
  source           text,
  source_type      text CHECK (source_type IN ('local_path','git_url')),
  branch           text,
  commit           text,
  input            jsonb NOT NULL DEFAULT '{}',
  options          jsonb NOT NULL DEFAULT '{}',
  tags             text[] NOT NULL DEFAULT '{}',
  description      text,
  idempotency_key  text,
  request_hash     text,
  active           boolean NOT NULL GENERATED ALWAYS AS (status IN ('pending','running','cancelling')) STORED,
  unsuccessful     boolean NOT NULL GENERATED ALWAYS AS (status IN ('failed','cancelled')) STORED
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0)`;

/** `jobs_created` carries ids but cannot be searched by them: while it is small, it would be taken for the primary key. */
const JOB_INDEXES = `
CREATE INDEX jobs_created ON jobs (created_at) INCLUDE (id);
CREATE INDEX jobs_active ON jobs (created_at, id) WHERE active;
CREATE INDEX jobs_unsuccessful ON jobs (created_at, id) WHERE unsuccessful;
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_eta ON jobs (eta, id) WHERE eta IS NOT NULL;
CREATE INDEX jobs_tags ON jobs USING gin (tags) WHERE tags <> '{}';
CREATE UNIQUE INDEX jobs_idempotency_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL`;

const STEPS = `
CREATE TABLE steps (
  job_id         uuid NOT NULL,
  idx            smallint NOT NULL,
  status         text NOT NULL CHECK (status IN
    ('queued','parked','running','retrying','completed','failed','cancelled')),
  epoch          int NOT NULL DEFAULT 1,
  attempts       int NOT NULL DEFAULT 0,
  worker         text,
  turn           smallint NOT NULL,
  retry_count    int NOT NULL DEFAULT 0,
  crashes        int NOT NULL DEFAULT 0,
  next_retry_at  timestamptz,
  awaits_scheduler boolean NOT NULL DEFAULT false,
  held           boolean NOT NULL DEFAULT false,
  progress       real,
  message        text,
  started_at     timestamptz,
  completed_at   timestamptz,
  duration_ms    double precision,
  cpu_percent    real,
  memory_mb      real,
  last_error     jsonb,
  output         jsonb,
  PRIMARY KEY (job_id, idx)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0)`;

const STEP_INDEXES = `
CREATE INDEX steps_running ON steps (worker) WHERE status = 'running';
CREATE INDEX steps_retrying ON steps (next_retry_at) WHERE status = 'retrying';
CREATE INDEX steps_parked ON steps (job_id, idx) WHERE status = 'parked'`;

const ATTEMPTS = `
CREATE TABLE attempts (
  job_id         uuid NOT NULL,
  idx            smallint NOT NULL,
  epoch          int NOT NULL,
  number         int NOT NULL,
  worker         text,
  outcome        text NOT NULL CHECK (outcome IN ('completed','failed','timeout','crashed','cancelled')),
  started_at     timestamptz NOT NULL,
  finished_at    timestamptz NOT NULL,
  duration_ms    double precision,
  cpu_percent    real,
  memory_mb      real,
  error          jsonb,
  next_delay_ms  double precision,
  PRIMARY KEY (job_id, idx, epoch)
)`;

const LOGS = `
CREATE TABLE logs (
  id       bigint GENERATED ALWAYS AS IDENTITY,
  job_id   uuid NOT NULL,
  idx      smallint NOT NULL,
  attempt  int NOT NULL,
  at       timestamptz NOT NULL,
  level    text NOT NULL CHECK (level IN ('debug','info','warn','error')),
  message  text NOT NULL,
  PRIMARY KEY (job_id, idx, attempt, id)
)`;

const WORKERS = `
CREATE TABLE workers (
  id             text PRIMARY KEY,
  name           text NOT NULL,
  version        text NOT NULL,
  pid            int NOT NULL,
  queues         text[] NOT NULL,
  capacity       int NOT NULL,
  running        int NOT NULL DEFAULT 0,
  cpu_percent    real,
  memory_mb      real,
  registered_at  timestamptz NOT NULL DEFAULT now(),
  lease_until    timestamptz NOT NULL,
  polled_at      timestamptz
) WITH (fillfactor = 50)`;

const POOLS = `
CREATE TABLE pools (
  name  text PRIMARY KEY,
  used  int NOT NULL DEFAULT 0 CHECK (used >= 0),
  max   int NOT NULL CHECK (max >= 0)
)`;
