import { createHash } from 'node:crypto';
import type { PoolClient } from 'pg';
import { errorPattern } from '#shared/domain/error-pattern';
import { storableJsonText } from '#shared/domain/json';
import { stepsIn } from '#shared/domain/step-set';
import type { JobDraft, StepError } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement } from '#shared/store/database';

/** A step that runs again and fails again has another one. */
const DELETE_DEAD_LETTERS: NamedStatement = {
  name: 'delete_dead_letters',
  text: `
DELETE FROM dead_letters d USING unnest($1::uuid[], $2::smallint[]) AS u (job_id, idx)
WHERE d.job_id = u.job_id AND d.idx = u.idx`,
};

const INSERT_DEAD_LETTERS: NamedStatement = {
  name: 'insert_dead_letters',
  text: `
INSERT INTO dead_letters (job_id, idx, run, pipeline, step, kind, fingerprint, error, attempts)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                     $8::jsonb[], $9::int[])
ON CONFLICT (job_id, idx) DO UPDATE SET
  id = excluded.id, run = excluded.run, kind = excluded.kind, fingerprint = excluded.fingerprint,
  error = excluded.error, attempts = excluded.attempts, created_at = excluded.created_at, mirrored = false`,
};

/** What the drafts' rules have said of failures for good, written by the transaction that holds the jobs' locks. */
export async function writeDeadLetters(client: PoolClient, drafts: readonly JobDraft[]): Promise<void> {
  const again = drafts.flatMap(({ job, redriven }) => stepsIn(redriven).map((idx) => ({ id: job.id, idx })));
  if (again.length > 0) {
    await execute(client, DELETE_DEAD_LETTERS, [again.map(({ id }) => id), again.map(({ idx }) => idx)]);
  }
  const letters = drafts.flatMap((draft) => draft.deadLetters.map((letter) => ({ draft, letter })));
  if (letters.length === 0) return;
  await execute(client, INSERT_DEAD_LETTERS, [
    letters.map(({ draft }) => draft.job.id),
    letters.map(({ letter }) => letter.idx),
    letters.map(({ draft }) => draft.job.run),
    letters.map(({ draft }) => draft.pipeline.name),
    letters.map(({ draft, letter }) => draft.step(letter.idx).name),
    letters.map(({ letter }) => letter.error.kind),
    letters.map(({ draft, letter }) => fingerprintOf(draft.pipeline.name, draft.step(letter.idx).name, letter.error)),
    letters.map(({ letter }) => storableJsonText(letter.error)),
    letters.map(({ letter }) => letter.attempts),
  ]);
}

/** The same for errors of a step that differ only in what differs each time. 16 hexadecimal digits. */
export const fingerprintOf = (pipeline: string, step: string, error: StepError): string =>
  createHash('sha256')
    .update([pipeline, step, errorPattern(error)].join('\0'))
    .digest('hex')
    .slice(0, 16);
