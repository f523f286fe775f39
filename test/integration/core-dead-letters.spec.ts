import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import { endAttempt } from '#shared/domain/turn/end-attempt';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { attemptKey, DIAMOND, failure, MEASURED } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let transactions: JobTransactions;
let diamond: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  transactions = new JobTransactions(await stage.connect(), stage.pipelines);
  diamond = await stage.save(DIAMOND);
});
afterAll(async () => {
  await transactions.close();
  await stage.close();
});

/** Ends the first attempt of a step, which nobody has read. */
const fail = (jobId: string, idx: number, kind: 'final' | number, run = 1) =>
  transactions.run({
    jobId,
    apply: (draft, { pools }) => {
      const key = attemptKey({ run, head: idx, idx, fast: run === 1, epoch: draft.rows.get(idx)?.epoch ?? 1 });
      return endAttempt(draft, key, failure(kind), MEASURED, pools, () => false);
    },
  });

const lettersOf = (jobId: string) =>
  stage.server.query<{ idx: number; fingerprint: string }>(
    `SELECT idx, run, pipeline, step, kind, fingerprint, error, attempts, mirrored FROM dead_letters
     WHERE job_id = $1 ORDER BY idx`,
    [jobId],
  );

const ready = { fields: { open: 0b110n, done: 0b1n } };

it('are kept in the commit in which a step fails for good, not before', async () => {
  const id = await stage.put(diamond, ready);
  await fail(id, 1, 1_000);
  expect(await lettersOf(id)).toEqual([]);
  await fail(id, 2, 'final');
  expect(await lettersOf(id)).toEqual([
    {
      ...{ idx: 2, run: 1, pipeline: DIAMOND.name, step: 'c', kind: 'transient', attempts: 1, mirrored: false },
      error: { message: 'no luck', kind: 'transient', code: 'E_LUCK' },
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    },
  ]);
});

it('of the same error of the same step share a fingerprint, those of another step do not', async () => {
  const [one, other] = [await stage.put(diamond, ready), await stage.put(diamond, ready)];
  await Promise.all([fail(one, 1, 'final'), fail(other, 1, 'final')]);
  await fail(other, 2, 'final');
  const [[first], [second, third]] = [await lettersOf(one), await lettersOf(other)];
  expect(first?.fingerprint).toBe(second?.fingerprint);
  expect(third?.fingerprint).not.toBe(second?.fingerprint);
});

it('are gone as soon as their step is to run again, and there again when it fails again', async () => {
  const id = await stage.put(diamond, ready);
  await Promise.all([fail(id, 1, 'final'), fail(id, 2, 'final')]);
  expect(await lettersOf(id)).toHaveLength(2);
  await transactions.run({ jobId: id, apply: (draft, { pools }) => retryJob(draft, null, pools) });
  expect(await lettersOf(id)).toEqual([]);
  await stage.server.query(`UPDATE steps SET status = 'running', epoch = 2 WHERE job_id = $1 AND idx = 1`, [id]);
  await fail(id, 1, 'final', 2);
  expect(await lettersOf(id)).toMatchObject([{ idx: 1, run: 2, attempts: 2 }]);
});

it('are not kept of what a cancel ends', async () => {
  const id = await stage.put(diamond, ready);
  await transactions.run({ jobId: id, apply: cancelJob });
  await transactions.run({ jobId: id, apply: (draft) => finishCancel(draft, new Map(), new Map()) });
  expect(await lettersOf(id)).toEqual([]);
});
