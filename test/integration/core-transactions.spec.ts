import fc from 'fast-check';
import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import { claimStep } from '#shared/domain/turn/claim';
import { endAttempt } from '#shared/domain/turn/end-attempt';
import { type JobDraft, newRow } from '#shared/domain/turn/job-draft';
import { handBack, releaseJob } from '#shared/domain/turn/mend';
import { type Facts, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN, failure, MEASURED, pipelineOf, set, stepNamed } from '../support/drafts';
import { watched } from './core-connections';
import { type CoreStage, newJobId, openStage } from './core-stage';

let stage: CoreStage;
let transactions: JobTransactions;
let chain: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  transactions = new JobTransactions(await stage.connect(), stage.pipelines);
  chain = await stage.save(CHAIN);
});
afterAll(async () => {
  await transactions.close();
  await stage.close();
});

type Rule = (draft: JobDraft, facts: Facts) => unknown;

describe('JobTransactions', () => {
  it('says that there is no such job, and calls no rule', async () => {
    const apply = jest.fn();
    const known = await stage.put(chain);
    const results = await Promise.all([
      transactions.run({ jobId: newJobId(), apply }),
      transactions.run({ jobId: known, apply: (draft) => draft.job.id }),
    ]);
    expect([results[0], results[1]?.result]).toEqual([null, known]);
    expect(apply).not.toHaveBeenCalled();
  });

  it('writes nothing when the rule changes nothing', async () => {
    const id = await stage.put(chain);
    const before = await stage.dump();
    await transactions.run({ jobId: id, apply: () => 'looked' });
    expect(await stage.dump()).toEqual(before);
  });

  it('gives the second of two commands for one job what the first has made of it', async () => {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    const seen: string[] = [];
    const results = await Promise.all([
      transactions.run({ jobId: id, apply: (draft) => (seen.push(draft.job.status), cancelJob(draft)) }),
      transactions.run({
        jobId: id,
        apply: (draft) => (seen.push(draft.job.status), finishCancel(draft, new Map(), new Map())),
      }),
      transactions.run({
        jobId: id,
        apply: (draft) => (seen.push(draft.job.status), retryJob(draft, null, new Map())),
      }),
    ]);
    expect(seen).toEqual(['pending', 'cancelling', 'cancelled']);
    expect(results.map((applied) => applied?.result)).toEqual(['cancelling', true, set(0)]);
    expect((await stage.read(id)).fields).toMatchObject({ status: 'pending', run: 2, version: 4 });
  });

  it('lets a rule that throws change nothing, tokens included, and harm no other', async () => {
    const limited = await stage.save(pipelineOf([stepNamed('a', { concurrency: 5 })], 'throwing'));
    const pool = 'step:throwing/a';
    await stage.server.query('INSERT INTO pools (name, used, max) VALUES ($1, 3, 5)', [pool]);
    const held = { status: 'running', worker: 'A', epoch: 2, held: true, idx: 0 } as const;
    const ids: string[] = [];
    while (ids.length < 3) ids.push(await stage.put(limited, { fields: { slow: set(0) }, rows: [held] }));
    const [one, bad, other] = ids as [string, string, string];
    const dumpOf = async (id: string): Promise<string[]> => (await stage.dump()).filter((line) => line.includes(id));
    const before = await dumpOf(bad);
    const giveBack: Rule = (draft, { pools }) => handBack(draft, 0, 'A', 2, pools);
    const results = await Promise.allSettled([
      transactions.run({ jobId: one, apply: giveBack }),
      transactions.run({
        jobId: bad,
        apply: (draft, facts) => {
          giveBack(draft, facts);
          throw new Error('halfway');
        },
      }),
      transactions.run({ jobId: other, apply: giveBack }),
    ]);
    expect(
      results.map((result) => (result.status === 'rejected' ? String(result.reason) : result.value?.result)),
    ).toEqual([...[true, 'Error: halfway', true]]);
    expect(await dumpOf(bad)).toEqual(before);
    const [left] = await stage.server.query('SELECT used FROM pools WHERE name = $1', [pool]);
    expect(left).toEqual({ used: 1 });
  });

  it('fails the one job that cannot be written, and no other', async () => {
    const [good, bad] = [await stage.put(chain), await stage.put(chain)];
    const impossible: Rule = (draft) => {
      draft.moveStep(0, 'claim').epoch = 2 ** 40;
    };
    const results = await Promise.allSettled([
      transactions.run({ jobId: good, apply: (draft) => cancelJob(draft) }),
      transactions.run({ jobId: bad, apply: impossible }),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    expect((await stage.read(good)).fields.status).toBe('cancelling');
    expect((await stage.read(bad)).rows).toEqual([]);
  });

  it('says in doubt what a lost connection leaves in doubt, and works on the next', async () => {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    const lane = async (): Promise<number[]> => {
      const rows = await stage.server.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = $1 AND query = 'COMMIT' AND application_name = 'core-spec'`,
        [stage.server.name],
      );
      return rows.map(({ pid }) => pid);
    };
    await transactions.run({ jobId: id, apply: () => null });
    const pids = await lane();
    expect(pids).toHaveLength(1);
    await stage.server.query('SELECT pg_terminate_backend($1)', pids);
    const cancel = (): Promise<unknown> => transactions.run({ jobId: id, apply: (draft) => cancelJob(draft) });
    await expect(cancel()).rejects.toThrow();
    await expect(cancel()).resolves.toMatchObject({ result: 'cancelling' });
    expect((await stage.read(id)).fields.version).toBe(2);
  });

  it('asks nothing without a limit to the wait for an answer: a line that falls silent is noticed', async () => {
    const limits = new Map<string, number | undefined>();
    const looked = watched(
      await stage.connect(1),
      ({ name, query_timeout: limitMs }) => void limits.set(name, limitMs),
    );
    const others = new JobTransactions(looked, stage.pipelines);
    const id = await stage.put(chain);
    await others.run({ jobId: id, apply: (draft) => cancelJob(draft) });
    await others.close();
    expect([...limits.keys()]).toEqual(['begin', 'lock_jobs', 'read_steps', 'write_drafts', 'commit']);
    for (const limitMs of limits.values()) expect(limitMs).toBeLessThanOrEqual(20_000);
  });

  it('keeps the due time of a job that is held, and drops it with the release', async () => {
    const id = await stage.put(chain, { fields: { status: 'scheduled', open: 0n, dispatchedAt: null } });
    await stage.server.query(`UPDATE jobs SET due_at = '2030-01-01', eta = '2030-01-01' WHERE id = $1`, [id]);
    await transactions.run({ jobId: id, apply: (draft) => void (draft.changed = true) });
    expect((await stage.read(id)).versions).toMatchObject({ due_at: new Date('2030-01-01'), queued_at: null });
    await transactions.run({ jobId: id, apply: (draft) => releaseJob(draft) });
    const { fields, versions } = await stage.read(id);
    expect(versions.due_at).toBeNull();
    expect(versions.queued_at?.getTime()).toBe(Math.floor((fields.dispatchedAt ?? 0) / 1_000));
  });

  it('drops the due time with a cancel, too, so that nobody releases it', async () => {
    const id = await stage.put(chain, { fields: { status: 'scheduled', open: 0n, dispatchedAt: null } });
    await stage.server.query(`UPDATE jobs SET due_at = now() WHERE id = $1`, [id]);
    await transactions.run({ jobId: id, apply: (draft) => cancelJob(draft) });
    expect((await stage.read(id)).versions.due_at).toBeNull();
  });

  it('keeps an output until the step completes anew, progress within a run, a message until the next begin', async () => {
    const rows = [{ idx: 0, status: 'completed', output: { v: 1 }, attempts: 1 }] as const;
    const id = await stage.put(chain, { fields: { status: 'completed', done: set(0, 1, 2), open: 0n }, rows });
    const progress = async (): Promise<unknown> =>
      (await stage.server.query('SELECT progress, message FROM steps WHERE job_id = $1', [id]))[0];
    await stage.server.query(`UPDATE steps SET progress = 40, message = 'so far' WHERE job_id = $1`, [id]);
    await transactions.run({ jobId: id, apply: (draft) => retryJob(draft, 0, new Map()) });
    expect((await stage.read(id)).rows[0]).toMatchObject({ status: 'queued', output: { v: 1 } });
    expect(await progress()).toEqual({ progress: null, message: 'so far' });
    await stage.server.query(`UPDATE steps SET progress = 10 WHERE job_id = $1`, [id]);
    const claimed = await transactions.run({
      jobId: id,
      apply: (draft, { leases, pools }) =>
        claimStep(draft, {
          ...{ run: 2, head: 0, worker: 'A', leases, pools, isOwn: () => false, knows: () => false },
          mayTakeSuspect: () => true,
        }),
    });
    expect(claimed?.result).toMatchObject({ kind: 'taken', epoch: 2 });
    expect(await progress()).toEqual({ progress: 10, message: null });
    const key = { run: 2, head: 0, idx: 0, epoch: 2, fast: false, worker: 'A' };
    const output = { v: 2 };
    await transactions.run({
      jobId: id,
      apply: (draft) => endAttempt(draft, key, { kind: 'completed', output }, MEASURED, new Map(), () => false),
    });
    expect((await stage.read(id)).rows[0]).toMatchObject({ status: 'completed', output: { v: 2 } });
  });

  it('keeps every microsecond of a time', async () => {
    const times = fc.integer({ min: 1_500_000_000_000_000, max: 2_500_000_000_000_000 });
    const property = fc.asyncProperty(times, times, times, async (a, b, c) => {
      const id = await stage.put(chain);
      await transactions.run({
        jobId: id,
        apply: (draft) => {
          Object.assign(draft.moveStep(0, 'back_off'), { nextRetryAt: a, startedAt: b });
          draft.job.dispatchedAt = c;
        },
      });
      const read = await transactions.run({
        jobId: id,
        apply: (draft) => ({ ...draft.rows.get(0), at: draft.job.dispatchedAt }),
      });
      expect(read?.result).toEqual({ ...newRow(0), status: 'retrying', nextRetryAt: a, startedAt: b, at: c });
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('stores an error that Postgres would refuse', async () => {
    const id = await stage.put(chain);
    const error = { message: 'a\0b\ud800', kind: 'transient' as const, code: null };
    const key = { run: 1, head: 0, idx: 0, epoch: 1, fast: true, worker: 'A' };
    await transactions.run({
      jobId: id,
      apply: (draft) => endAttempt(draft, key, { ...failure(), error }, MEASURED, new Map(), () => false),
    });
    const { rows, attempts } = await stage.read(id);
    expect([rows[0]?.lastError?.message, attempts[0]?.error?.message]).toEqual(['a\ufffdb\ufffd', 'a\ufffdb\ufffd']);
  });
});

describe('JobTransactions, and tokens', () => {
  const claimAll = (ids: readonly string[], through: JobTransactions): Promise<string[]> =>
    Promise.all(
      ids.map(async (jobId) => {
        const applied = await through.run({
          jobId,
          apply: (draft, { leases, pools }) =>
            claimStep(draft, {
              ...{ run: 1, head: 0, worker: 'A', leases, pools, isOwn: () => false, knows: () => false },
              mayTakeSuspect: () => true,
            }),
        });
        return applied?.result.kind ?? 'gone';
      }),
    );

  it('makes the pool of a step’s own limit, and lets as many in as it says, from two connections at once', async () => {
    const limited = await stage.save(pipelineOf([stepNamed('a', { concurrency: 7 })], 'counted'));
    const ids: string[] = [];
    while (ids.length < 30) ids.push(await stage.put(limited));
    const other = new JobTransactions(await stage.connect(2), stage.pipelines);
    const kinds = await Promise.all([claimAll(ids.slice(0, 15), transactions), claimAll(ids.slice(15), other)]);
    await other.close();
    expect(kinds.flat().filter((kind) => kind === 'taken')).toHaveLength(7);
    const query = `SELECT used, max, (SELECT count(*)::int FROM steps WHERE held) AS held,
                          (SELECT count(*)::int FROM steps s JOIN jobs j ON j.id = s.job_id
                           WHERE s.status = 'parked' AND j.pipeline = 'counted') AS parked
                   FROM pools WHERE name = 'step:counted/a'`;
    await stage.server.query(
      `UPDATE steps SET held = false FROM jobs WHERE jobs.id = job_id AND pipeline <> 'counted'`,
    );
    expect(await stage.server.query(query)).toEqual([{ used: 7, max: 7, held: 7, parked: 23 }]);
  });

  it('keeps a limit that somebody has changed since', async () => {
    const limited = await stage.save(pipelineOf([stepNamed('a', { concurrency: 7 })], 'changed'));
    await stage.server.query(`INSERT INTO pools (name, used, max) VALUES ('step:changed/a', 1, 2)`);
    const ids = [await stage.put(limited), await stage.put(limited)];
    expect((await claimAll(ids, transactions)).sort()).toEqual(['nothing', 'taken']);
    expect(await stage.server.query(`SELECT used, max FROM pools WHERE name = 'step:changed/a'`)).toEqual([
      { used: 2, max: 2 },
    ]);
  });

  it('parks what needs a pool that is not there', async () => {
    const limited = await stage.save(pipelineOf([stepNamed('a', { resources: { missing: 1 } })], 'poolless'));
    const id = await stage.put(limited, { fields: { status: 'pending' } });
    expect(await claimAll([id], transactions)).toEqual(['nothing']);
    const { fields, rows } = await stage.read(id);
    expect([fields.status, rows[0]?.status, rows[0]?.waitsFor]).toEqual(['pending', 'parked', 'resource:missing']);
    await stage.server.query(`INSERT INTO pools (name, used, max) VALUES ('resource:missing', 0, 1)`);
    expect(await claimAll([id], transactions)).toEqual(['taken']);
    expect((await stage.read(id)).rows).toMatchObject([{ status: 'running', waitsFor: null }]);
  });
});
