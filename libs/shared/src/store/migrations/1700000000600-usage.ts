import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the figures of the fleet are made of.
 *
 * Jobs are counted by triggers, so that no statement can forget to: each that moves jobs leaves a row in `job_changes`
 * (append only: nobody waits for a counter). They are folded into `job_counts` and `rollups` once a second.
 *
 * Attempts are counted by what workers send, and compared with the attempts themselves, the truth (`rollup_minutes`).
 * - `rollups`: one row for each minute (of the database's clock) and thing that has figures; what is older than a while is
 *   folded into the row of minute '-infinity'. `kind` 'step' (name = the step), 'job' (name = the status that ended it),
 *   'wait' (from queued to started), 'lateness' (pipeline and name empty).
 * - `rollup_minutes`: a minute of attempts. `fed` = its rollups are the sum of what was sent; `counted` = they were counted
 *   anew from the attempts, and what is sent late only makes it `stale`: to be counted again.
 * - `rollup_marks`: up to which minute all was compared, and folded.
 * - `telemetry_batches`: batches that were added already; what comes twice is counted once.
 * - `deleted_attempts`: attempts whose job was deleted before their minute was folded: counting anew needs them.
 * All writes of these but the triggers' are made under one advisory lock (`store/usage/rollup-lock.ts`).
 */
export class Usage1700000000600 implements MigrationInterface {
  readonly name = 'Usage1700000000600';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [JOB_CHANGES, JOB_COUNTS, TRIGGERS, ROLLUPS, ATTEMPTS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER jobs_inserted ON jobs;
      DROP TRIGGER jobs_updated ON jobs;
      DROP TRIGGER jobs_deleted ON jobs;
      DROP FUNCTION note_jobs_inserted, note_jobs_updated, note_jobs_deleted;
      DROP INDEX attempts_finished;
      DROP TABLE job_changes, job_counts, rollups, rollup_minutes, rollup_marks, telemetry_batches, deleted_attempts`);
  }
}

/** `was` is null for new jobs, `became` for deleted ones. Milliseconds of those that ended, and of those that began. */
const JOB_CHANGES = `
CREATE TABLE job_changes (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at           timestamptz NOT NULL DEFAULT now(),
  pipeline     text NOT NULL,
  was          text,
  became       text,
  jobs         int NOT NULL,
  duration_ms  real[],
  wait_ms      real[]
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)`;

/** How many jobs ever came to a status, and how many of them left it; the difference is there now. */
const JOB_COUNTS = `
CREATE TABLE job_counts (
  pipeline  text NOT NULL,
  status    text NOT NULL,
  entered   bigint NOT NULL,
  departed  bigint NOT NULL,
  PRIMARY KEY (pipeline, status)
) WITH (fillfactor = 50);
INSERT INTO job_counts SELECT pipeline, status, count(*), 0 FROM jobs GROUP BY pipeline, status`;

/**
 * Once per statement, not per row. A job is told from another by its id in both sets, never by their order. Nested loops are
 * off: the plan is made once, maybe for one job, and used for a thousand.
 */
const TRIGGERS = `
CREATE FUNCTION note_jobs_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_changes (pipeline, became, jobs)
  SELECT pipeline, status, count(*) FROM new_jobs GROUP BY pipeline, status;
  RETURN NULL;
END $$;

CREATE FUNCTION note_jobs_updated() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
  INSERT INTO job_changes (pipeline, was, became, jobs, duration_ms, wait_ms)
  SELECT n.pipeline, o.status, n.status, count(*),
         array_agg(greatest(0, extract(epoch FROM n.completed_at - n.started_at) * 1000)::real)
           FILTER (WHERE n.completed_at IS NOT NULL AND o.completed_at IS NULL AND n.started_at IS NOT NULL),
         array_agg(greatest(0, extract(epoch FROM n.started_at - n.queued_at) * 1000)::real)
           FILTER (WHERE o.started_at IS NULL AND n.started_at IS NOT NULL AND n.queued_at IS NOT NULL)
  FROM new_jobs n JOIN old_jobs o ON o.id = n.id
  WHERE n.status <> o.status
  GROUP BY n.pipeline, o.status, n.status;
  RETURN NULL;
END $$;

CREATE FUNCTION note_jobs_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_changes (pipeline, was, jobs)
  SELECT pipeline, status, count(*) FROM old_jobs GROUP BY pipeline, status;
  RETURN NULL;
END $$;

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs
  REFERENCING NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION note_jobs_inserted();
CREATE TRIGGER jobs_updated AFTER UPDATE ON jobs
  REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION note_jobs_updated();
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs
  REFERENCING OLD TABLE AS old_jobs FOR EACH STATEMENT EXECUTE FUNCTION note_jobs_deleted()`;

const ROLLUPS = `
CREATE TABLE rollups (
  minute    timestamptz NOT NULL,
  kind      text NOT NULL CHECK (kind IN ('step','job','wait','lateness')),
  pipeline  text NOT NULL,
  name      text NOT NULL,
  data      jsonb NOT NULL,
  PRIMARY KEY (minute, kind, pipeline, name)
) WITH (fillfactor = 50);
CREATE TABLE rollup_minutes (
  minute    timestamptz PRIMARY KEY,
  state     text NOT NULL DEFAULT 'fed' CHECK (state IN ('fed','counted')),
  stale     boolean NOT NULL DEFAULT false,
  attempts  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE rollup_marks (
  name  text PRIMARY KEY CHECK (name IN ('compared','folded')),
  at    timestamptz NOT NULL
);
INSERT INTO rollup_marks
SELECT name, date_trunc('minute', coalesce((SELECT min(finished_at) FROM attempts), now())) FROM unnest('{compared,folded}'::text[]) AS name;
CREATE TABLE telemetry_batches (
  id        text PRIMARY KEY,
  added_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX telemetry_batches_added ON telemetry_batches (added_at)`;

/** The index is of the order in which rows come, so that it costs little: each goes to its end. */
const ATTEMPTS = `
CREATE INDEX attempts_finished ON attempts (finished_at);
CREATE TABLE deleted_attempts (
  finished_at    timestamptz NOT NULL,
  pipeline_hash  text NOT NULL,
  idx            smallint NOT NULL,
  outcome        text NOT NULL,
  error_kind     text,
  retried        boolean NOT NULL,
  duration_ms    double precision,
  cpu_percent    real,
  memory_mb      real
);
CREATE INDEX deleted_attempts_finished ON deleted_attempts (finished_at)`;
