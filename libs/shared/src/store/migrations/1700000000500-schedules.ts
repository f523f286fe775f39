import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Recurring jobs.
 * - `schedules.next_at`: when the next run is due; null while it is disabled, and when there is none any more.
 *   `updated_at` is of what people change; `runs_kept` says about how many rows it has in `schedule_runs`.
 * - `schedule_runs`: what became of each due time. Its key is why no time has two runs. `job_id` is null where no job was
 *   made. The newest thousand of each schedule are kept.
 */
export class Schedules1700000000500 implements MigrationInterface {
  readonly name = 'Schedules1700000000500';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [SCHEDULES, RUNS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE schedule_runs; DROP TABLE schedules');
  }
}

const SCHEDULES = `
CREATE TABLE schedules (
  id               uuid PRIMARY KEY,
  cron             text NOT NULL,
  timezone         text NOT NULL,
  job              jsonb NOT NULL,
  enabled          boolean NOT NULL,
  overlap          text NOT NULL CHECK (overlap IN ('skip','queue','allow')),
  catch_up         text NOT NULL CHECK (catch_up IN ('none','last','all')),
  description      text,
  next_at          timestamptz CHECK (enabled OR next_at IS NULL),
  skipped_count    bigint NOT NULL DEFAULT 0,
  last_skipped_at  timestamptz,
  missed_count     bigint NOT NULL DEFAULT 0,
  last_error       jsonb,
  runs_kept        int NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL`;

const RUNS = `
CREATE TABLE schedule_runs (
  schedule_id  uuid NOT NULL REFERENCES schedules (id) ON DELETE CASCADE,
  due_at       timestamptz NOT NULL,
  outcome      text NOT NULL CHECK (outcome IN ('made','skipped','failed')),
  job_id       uuid,
  PRIMARY KEY (schedule_id, due_at)
)`;
