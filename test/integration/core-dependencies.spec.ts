import type { NatsBus } from '#shared/bus/nats-bus';
import type { NewJob } from '#shared/domain/new-job';
import { cancelJob } from '#shared/domain/turn/cancel';
import { tellOfDependency } from '#shared/domain/turn/hold';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import { Dependants } from '#shared/store/jobs/dependants';
import { DueJobs } from '#shared/store/jobs/due-jobs';
import { FastSettlement } from '#shared/store/jobs/fast-settlement';
import { JobSubmission } from '#shared/store/jobs/job-submission';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { DependantRelease } from '../../apps/scheduler/src/dependant-release';
import type { Dispatch, TurnDispatch } from '../../apps/scheduler/src/turn-dispatch';
import { MEASURED, pipelineOf, stepNamed } from '../support/drafts';
import { randomOf } from '../support/random';
import { type CoreStage, newJobId, openStage } from './core-stage';
import { PretendWorker } from './pretend-worker';

let stage: CoreStage;
let submission: JobSubmission;
let worker: PretendWorker;
let transactions: JobTransactions;
let fast: FastSettlement;
let pipeline: StoredPipeline;
let dependants: Dependants;
let due: DueJobs;
let untoldCalls = 0;

beforeAll(async () => {
  stage = await openStage();
  const database = await stage.connect(10);
  const onUntold = (): void => void (untoldCalls += 1);
  submission = new JobSubmission(database);
  transactions = new JobTransactions(database, stage.pipelines, { onUntold });
  fast = new FastSettlement(database, () => 'me', undefined, onUntold);
  dependants = new Dependants(database);
  due = new DueJobs(database);
  worker = await PretendWorker.start(stage.server.url);
  pipeline = await stage.save(pipelineOf([stepNamed('only', { max_retries: 0 })]));
});
afterAll(async () => {
  await Promise.all([
    submission.idle(),
    dependants.close(),
    transactions.close(),
    fast.close(),
    due.close(),
    worker.stop(),
  ]);
  await stage.close();
});
beforeEach(async () => {
  await stage.server.query('DELETE FROM jobs; DELETE FROM dependencies; DELETE FROM steps; DELETE FROM attempts');
  untoldCalls = 0;
});

/** The scheduler's loop, and what it would have sent. */
class Teller {
  readonly sent: Dispatch[] = [];
  private readonly release: DependantRelease;

  constructor(over = transactions, known = dependants) {
    const dispatch = { send: async (each: Dispatch) => this.sent.push(each), tell: () => undefined };
    const bus = { send: () => true, maxPayloadBytes: 1_000_000, isStalled: false } as unknown as NatsBus;
    const log = { debug: () => undefined } as unknown as Logger;
    this.release = new DependantRelease({
      ...{ bus, dependants: known, transactions: over, dispatch: dispatch as unknown as TurnDispatch, log },
    });
  }

  once(): Promise<number> {
    return this.release.runOnce();
  }

  /** Until there is nothing to tell. */
  async tellAll(): Promise<void> {
    for (let rounds = 0; await isUntold(); rounds += 1) {
      if (rounds > 100) throw new Error('something is never told');
      await this.once();
    }
  }
}

/** By a connection of its own: those of the tellers are at work. */
const isUntold = async (): Promise<boolean> =>
  (await stage.server.query('SELECT FROM jobs WHERE untold LIMIT 1')).length > 0;

async function submit(over: Partial<NewJob> = {}): Promise<string> {
  const job: NewJob = {
    ...{ id: newJobId(), pipeline: 'tried', pipelineHash: pipeline.hash, allSteps: pipeline.graph.all },
    ...{ roots: pipeline.graph.roots, priority: 'default', source: null, sourceType: null, branch: null, commit: null },
    ...{ input: {}, options: {}, tags: [], description: null, etaSeconds: null, countdown: null },
    ...{ idempotencyKey: null, requestHash: null, dependsOn: [], onDependencyFailure: 'fail', scheduleId: null },
    ...over,
  };
  const outcome = await submission.submit(job);
  if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
  return job.id;
}

const after = (...dependsOn: string[]): Promise<string> => submit({ dependsOn });

async function completeFast(jobId: string): Promise<void> {
  const steps = [{ kind: 'completed' as const, idx: 0, output: {}, ...MEASURED }];
  const settled = await fast.settle({ jobId, run: 1, head: 0, graph: pipeline.graph, steps, keepable: 0n });
  expect(settled.kind).toBe('settled');
}

const cancel = (jobId: string): Promise<unknown> => transactions.run({ jobId, apply: cancelJob });

async function statuses(...ids: string[]): Promise<string[]> {
  const rows = await stage.server.query<{ id: string; status: string }>('SELECT id, status FROM jobs');
  const statusOf = new Map(rows.map(({ id, status }) => [id, status]));
  return ids.map((id) => statusOf.get(id) ?? 'none');
}

describe('a job that is submitted to wait for others', () => {
  it('is waiting, and begins once all are completed', async () => {
    const [u, v] = [await submit(), await submit()];
    const d = await after(u, v);
    const teller = new Teller();
    expect(await statuses(d)).toEqual(['waiting']);
    await completeFast(u);
    await teller.tellAll();
    expect(await statuses(d)).toEqual(['waiting']);
    await worker.complete(v);
    await teller.tellAll();
    expect(await statuses(d)).toEqual(['pending']);
    const { fields } = await stage.read(d);
    expect(teller.sent).toMatchObject([{ jobId: d, run: 1, steps: 1n, at: fields.dispatchedAt, read: true }]);
    expect(fields.open).toBe(1n);
  });

  it('begins at once when they are completed already', async () => {
    const u = await submit();
    await completeFast(u);
    expect(await statuses(await after(u))).toEqual(['pending']);
    expect(await dependants.untold(1)).toEqual([]);
  });

  it('is not stored when there is no such job, and others beside it are', async () => {
    const missing = newJobId();
    const [refused, stored] = await Promise.allSettled([after(missing), submit()]);
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining(missing) as string },
    });
    expect(stored.status).toBe('fulfilled');
    expect(await stage.server.query('SELECT id FROM jobs')).toHaveLength(1);
    expect(await stage.server.query('SELECT * FROM dependencies')).toEqual([]);
  });

  it('fails with one that has failed before', async () => {
    const u = await submit();
    await worker.fail(u);
    const d = await after(u);
    await new Teller().tellAll();
    expect(await statuses(d)).toEqual(['failed']);
  });

  it('with a key is one job, and its needs are noted once', async () => {
    const u = await submit();
    const over = { dependsOn: [u], idempotencyKey: 'k', requestHash: 'h' };
    const d = await submit(over);
    await expect(submit(over)).rejects.toThrow(`"repeated","jobId":"${d}"`);
    expect(await stage.server.query('SELECT * FROM dependencies')).toHaveLength(1);
  });

  it('waits after its eta, or for its eta after that', async () => {
    const u = await submit();
    const [early, late] = [
      await submit({ dependsOn: [u], countdown: 0.05 }),
      await submit({ dependsOn: [u], countdown: 3_600 }),
    ];
    expect(await statuses(early, late)).toEqual(['scheduled', 'scheduled']);
    await stage.server.query(`UPDATE jobs SET due_at = now() WHERE id = $1`, [early]);
    expect((await due.release(10)).jobs).toMatchObject([{ id: early, status: 'waiting', opened: 0n }]);
    expect(await statuses(early, late)).toEqual(['waiting', 'scheduled']);
    await completeFast(u);
    await new Teller().tellAll();
    expect(await statuses(early, late)).toEqual(['pending', 'scheduled']);
    await stage.server.query(`UPDATE jobs SET due_at = now() WHERE id = $1`, [late]);
    expect((await due.release(10)).jobs).toMatchObject([{ id: late, status: 'pending', opened: 1n, run: 1 }]);
  });
});

describe('the end of a job that others wait for', () => {
  it.each(['failed', 'cancelled'] as const)('%s fails them, and those that wait for them', async (end) => {
    const u = await submit({ etaSeconds: end === 'cancelled' ? Date.now() / 1_000 + 60 : null });
    const d = await after(u);
    const scheduled = await submit({ dependsOn: [u], countdown: 60 });
    const e = await after(d);
    const anyway = await submit({ dependsOn: [u], onDependencyFailure: 'run' });
    await (end === 'failed' ? worker.fail(u) : cancel(u));
    await new Teller().tellAll();
    expect(await statuses(d, scheduled, e, anyway)).toEqual(['failed', 'failed', 'failed', 'pending']);
    const [row] = await stage.server.query<{ error: object }>('SELECT error FROM jobs WHERE id = $1', [d]);
    expect(row?.error).toMatchObject({ code: `dependency_${end}`, message: expect.stringContaining(u) as string });
  });

  it('wakes the schedulers when somebody waits for it, and only then', async () => {
    const [u, v, alone] = [await submit(), await submit(), await submit()];
    await after(u, v);
    await completeFast(alone);
    expect(untoldCalls).toBe(0);
    await completeFast(u);
    expect(untoldCalls).toBe(1);
    await cancel(v); // under way: it has not ended
    expect(untoldCalls).toBe(1);
  });

  it('is undone for them by its retry, for those that failed only for it', async () => {
    const [u, v] = [await submit(), await submit()];
    const [both, one, held] = [await after(u, v), await after(u), await submit({ dependsOn: [u], countdown: 60 })];
    const next = await after(one);
    const teller = new Teller();
    await worker.fail(u);
    await worker.fail(v);
    await teller.tellAll();
    expect(await statuses(both, one, held, next)).toEqual(['failed', 'failed', 'failed', 'failed']);
    await worker.retry(u);
    await teller.tellAll();
    expect(await statuses(both, one, held, next)).toEqual(['failed', 'waiting', 'scheduled', 'waiting']);
    await worker.complete(u);
    await teller.tellAll();
    expect(await statuses(both, one, held, next)).toEqual(['failed', 'pending', 'scheduled', 'waiting']);
    expect(teller.sent).toMatchObject([{ jobId: one, run: 2, read: true }]);
    await worker.retry(v);
    await teller.tellAll();
    expect(await statuses(both)).toEqual(['waiting']);
  });

  it('that is told while the job goes on again is told anew', async () => {
    const u = await submit();
    const d = await after(u);
    await worker.fail(u);
    const [untold] = await dependants.untold(10);
    if (!untold) throw new Error('nobody has to be told');
    // A scheduler that has found it failed tells so, and comes to its note only after the retry.
    const apply = (draft: JobDraft): boolean => tellOfDependency(draft, u, untold.status);
    await transactions.run({ jobId: d, beside: u, apply });
    expect(await statuses(d)).toEqual(['failed']);
    await worker.retry(u);
    expect(await dependants.noteTold([untold])).toBe(0);
    await new Teller().tellAll();
    expect(await statuses(d)).toEqual(['waiting']);
  });

  it('is not noted as told when somebody was attached to it after the look', async () => {
    const u = await submit();
    await after(u);
    await worker.fail(u);
    const [untold] = await dependants.untold(10);
    if (!untold) throw new Error('nobody has to be told');
    for (const { jobId } of await dependants.toTell([untold], 10)) {
      const apply = (draft: JobDraft): boolean => tellOfDependency(draft, u, untold.status);
      await transactions.run({ jobId, beside: u, apply });
    }
    const late = await after(u);
    expect(await dependants.noteTold([untold])).toBe(0);
    await new Teller().tellAll();
    expect(await statuses(late)).toEqual(['failed']);
  });

  it('is not noted as told while somebody is being attached to it', async () => {
    const u = await submit();
    await after(u);
    await completeFast(u);
    const [untold] = await dependants.untold(10);
    if (!untold) throw new Error('nobody has to be told');
    const attach = await attachSlowly(u);
    expect(await dependants.noteTold([untold])).toBe(0);
    await attach();
    const told = async (): Promise<string | undefined> =>
      (await stage.server.query<{ told: string }>('SELECT told FROM jobs WHERE id = $1', [u]))[0]?.told;
    expect(await told()).toBe('');
    await new Teller().tellAll();
    expect(await told()).toBe('completed');
  });

  it('is told once to each of many, by two schedulers at once', async () => {
    const u = await submit();
    const ids = await Promise.all(Array.from({ length: 700 }, () => after(u)));
    await completeFast(u);
    const elsewhere = await stage.connect(3);
    const other = new JobTransactions(elsewhere, stage.pipelines);
    const known = new Dependants(elsewhere);
    const tellers = [new Teller(), new Teller(other, known)];
    await Promise.all(tellers.map((teller) => teller.tellAll()));
    await Promise.all([other.close(), known.close()]);
    expect(new Set(await statuses(...ids))).toEqual(new Set(['pending']));
    const sent = tellers.flatMap((teller) => teller.sent.map(({ jobId }) => jobId));
    expect(sent.sort()).toEqual([...ids].sort());
    expect(await dependants.untold(1)).toEqual([]);
  });
});

/** Another session has locked the job to attach somebody to it. @returns its commit */
async function attachSlowly(u: string): Promise<() => Promise<void>> {
  const database = await stage.connect(1);
  const runner = database.createQueryRunner();
  await runner.startTransaction();
  await runner.query('SELECT id FROM jobs WHERE id = $1 FOR UPDATE', [u]);
  await runner.query(`UPDATE jobs SET told = '' WHERE id = $1`, [u]);
  return async () => {
    await runner.commitTransaction();
    await runner.release();
  };
}

describe('many at once', () => {
  it('of jobs that each have one dependant are told in a few looks', async () => {
    const upstream = await Promise.all(Array.from({ length: 400 }, () => submit()));
    const waiting = await Promise.all(upstream.map((id) => after(id)));
    await Promise.all(upstream.map(completeFast));
    const teller = new Teller();
    await teller.once();
    expect(new Set(await statuses(...waiting))).toEqual(new Set(['pending']));
    expect(await isUntold()).toBe(false);
  });

  it('that end, go on, are cancelled and waited for leave each where those that it needs put it', async () => {
    const random = randomOf(7);
    const upstream = await Promise.all(Array.from({ length: 8 }, () => submit()));
    const teller = new Teller();
    const elsewhere = await stage.connect(3);
    const other = new JobTransactions(elsewhere, stage.pipelines);
    const known = new Dependants(elsewhere);
    const second = new Teller(other, known);
    let over = false;
    const telling = [teller, second].map(async (each) => {
      while (!over) await each.once();
    });
    const dependent: string[] = [];
    const attaching = Array.from({ length: 150 }, async () => {
      const needs = upstream.filter(() => random.int(1, 10) <= 3);
      if (needs.length > 0) dependent.push(await after(...needs));
    });
    for (const id of upstream) {
      await worker.fail(id);
      if (random.int(1, 10) <= 8) {
        await worker.retry(id);
        await (random.int(1, 10) <= 7 ? worker.complete(id) : worker.fail(id));
      }
    }
    await Promise.all(attaching);
    over = true;
    await Promise.all(telling);
    await teller.tellAll();
    await Promise.all([other.close(), known.close()]);
    const wrong = await stage.server.query(
      `SELECT d.id, d.status, array_agg(u.status) FROM jobs d
       JOIN dependencies n ON n.job_id = d.id JOIN jobs u ON u.id = n.needs_job_id
       GROUP BY d.id, d.status
       HAVING d.status <> CASE WHEN bool_or(u.status = 'failed') THEN 'failed' ELSE 'pending' END`,
    );
    expect(wrong).toEqual([]);
    expect(dependent.length).toBeGreaterThan(100);
    const begun = await stage.server.query<{ id: string }>(
      `SELECT id FROM jobs WHERE status = 'pending' AND depends_on IS NOT NULL ORDER BY id`,
    );
    const sent = [...teller.sent, ...second.sent].map(({ jobId }) => jobId);
    expect(new Set(sent).size).toBe(sent.length);
    // Those whose jobs were all completed when they were submitted were not told: they began by themselves.
    expect(begun.map(({ id }) => id)).toEqual(expect.arrayContaining(sent));
  });
});
