import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What cancels and failures for good leave behind.
 * - `jobs.cancel_at`: when the cancel was asked for, while it is under way; in the one index that finds such jobs.
 *   `cancel_mark`: a time after that commit; a worker whose look is later than it has seen the cancel.
 * - `workers.winding_down`: cancelled jobs of which the worker still runs something.
 * - `steps.waits_for`: the pool that had no room for a parked step; first in the index of those, so that a pool finds its own.
 * - `dead_letters`: at most one for each step; gone as soon as the step is to run again.
 */
export class Recovery1700000000300 implements MigrationInterface {
  readonly name = 'Recovery1700000000300';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [CANCELS, PARKED, DEAD_LETTERS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE dead_letters;
      DROP INDEX steps_parked;
      ALTER TABLE steps DROP COLUMN waits_for;
      CREATE INDEX steps_parked ON steps (job_id, idx) WHERE status = 'parked';
      ALTER TABLE workers DROP COLUMN winding_down;
      ALTER TABLE jobs DROP COLUMN cancel_at, DROP COLUMN cancel_mark`);
  }
}

const CANCELS = `
ALTER TABLE jobs ADD COLUMN cancel_at timestamptz, ADD COLUMN cancel_mark timestamptz;
CREATE INDEX jobs_cancelling ON jobs (cancel_at) WHERE cancel_at IS NOT NULL;
ALTER TABLE workers ADD COLUMN winding_down uuid[] NOT NULL DEFAULT '{}'`;

/** Which pool a step waits for that is parked by now nobody knows: queued, the sweep gives it a message, to try again. */
const PARKED = `
ALTER TABLE steps ADD COLUMN waits_for text;
UPDATE steps SET status = 'queued' WHERE status = 'parked';
DROP INDEX steps_parked;
CREATE INDEX steps_parked ON steps (waits_for, job_id, idx) WHERE status = 'parked'`;

const DEAD_LETTERS = `
CREATE TABLE dead_letters (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  job_id       uuid NOT NULL,
  idx          smallint NOT NULL,
  run          int NOT NULL,
  pipeline     text NOT NULL,
  step         text NOT NULL,
  kind         text NOT NULL,
  fingerprint  text NOT NULL,
  error        jsonb NOT NULL,
  attempts     int NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  mirrored     boolean NOT NULL DEFAULT false,
  UNIQUE (job_id, idx)
);
CREATE INDEX dead_letters_created ON dead_letters (created_at, id);
CREATE INDEX dead_letters_fingerprint ON dead_letters (fingerprint, created_at, id);
CREATE INDEX dead_letters_unmirrored ON dead_letters (created_at, id) WHERE NOT mirrored`;
