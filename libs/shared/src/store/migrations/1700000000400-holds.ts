import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What holds jobs back before they begin, besides a time: other jobs.
 * - `dependencies`: one row for each job that a job needs. `outcome` is what the dependant was last told of it; `settled`
 *   = that stands for ever, whatever becomes of the other job later. Written under the lock of the dependant's row.
 * - `jobs.needs_jobs`: how many of them are not settled. `error`: why the job failed without any of its steps.
 * - `jobs.told`: the state that the job's dependants were last told of, null when it has none, empty when they have to be
 *   told again. `untold` says that this is not its state any more; the one index that finds such jobs. It leans on the
 *   status, but changes only when a job that others wait for ends, so that the updates of all others stay in their page.
 * - `jobs.schedule_id`: the recurring schedule that made the job.
 * A job is deleted together with its rows in `dependencies`, on both sides.
 */
export class Holds1700000000400 implements MigrationInterface {
  readonly name = 'Holds1700000000400';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [DEPENDENCIES, JOBS, INDEXES]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE dependencies;
      DROP INDEX jobs_held_created, jobs_held_eta;
      ALTER TABLE jobs DROP COLUMN untold;
      ALTER TABLE jobs DROP COLUMN depends_on, DROP COLUMN on_dependency_failure, DROP COLUMN needs_jobs,
                       DROP COLUMN error, DROP COLUMN told, DROP COLUMN schedule_id`);
  }
}

const DEPENDENCIES = `
CREATE TABLE dependencies (
  job_id        uuid NOT NULL,
  needs_job_id  uuid NOT NULL,
  outcome       text CHECK (outcome IN ('completed','failed','cancelled')),
  settled       boolean NOT NULL DEFAULT false,
  PRIMARY KEY (job_id, needs_job_id)
);
CREATE INDEX dependencies_unsettled ON dependencies (needs_job_id, job_id) WHERE NOT settled`;

const JOBS = `
ALTER TABLE jobs
  ADD COLUMN depends_on             uuid[],
  ADD COLUMN on_dependency_failure  text CHECK (on_dependency_failure IN ('fail','run')),
  ADD COLUMN needs_jobs             int NOT NULL DEFAULT 0,
  ADD COLUMN error                  jsonb,
  ADD COLUMN told                   text,
  ADD COLUMN schedule_id            uuid,
  ADD COLUMN untold                 boolean NOT NULL GENERATED ALWAYS AS (coalesce(told <>
    CASE WHEN status IN ('completed','failed','cancelled') THEN status ELSE 'live' END, false)) STORED`;

/** Held jobs are listed by eta and as they were created; both end with the hold. */
const INDEXES = `
CREATE INDEX jobs_untold ON jobs (id) WHERE untold;
CREATE INDEX jobs_needing ON jobs (created_at, id) WHERE needs_jobs > 0;
CREATE INDEX jobs_held_created ON jobs (created_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_held_eta ON jobs (eta, id) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_schedule ON jobs (schedule_id, created_at, id) WHERE schedule_id IS NOT NULL;
CREATE INDEX jobs_schedule_live ON jobs (schedule_id) WHERE schedule_id IS NOT NULL AND completed_at IS NULL`;
