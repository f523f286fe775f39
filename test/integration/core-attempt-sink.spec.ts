import type { Delivery } from '#shared/bus/work-consumer';
import { claimStep } from '#shared/domain/turn/claim';
import { endAttempt } from '#shared/domain/turn/end-attempt';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { EndedAttempt } from '#shared/domain/usage/step-usage';
import type { Database } from '#shared/store/database';
import type { FastStep } from '#shared/store/jobs/fast-settlement';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { Incarnation, type WorkerLease } from '../../apps/step-worker/src/lease/worker-lease';
import { ActiveTurn } from '../../apps/step-worker/src/turn/active-turn';
import { ActiveTurns } from '../../apps/step-worker/src/turn/active-turns';
import { TurnSettlement } from '../../apps/step-worker/src/turn/turn-settlement';
import { attemptKey, CHAIN, COMPLETED, failure, MEASURED, NOW, set } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

type Told = EndedAttempt & { readonly step: string; readonly finishedAt: Micros };

let stage: CoreStage;
let database: Database;
let chain: StoredPipeline;
let told: Told[];

beforeAll(async () => {
  stage = await openStage();
  database = await stage.connect(6);
  chain = await stage.save(CHAIN);
});
afterAll(() => stage.close());
beforeEach(() => (told = []));

const onAttempt = (pipeline: string, step: string, finishedAt: Micros, attempt: EndedAttempt): void => {
  expect(pipeline).toBe('tried');
  told.push({ step, finishedAt, ...attempt });
};

/** The same of what is recorded. */
async function recorded(...ids: readonly string[]): Promise<Told[]> {
  const jobs = await Promise.all(ids.map((id) => stage.read(id)));
  return jobs
    .flatMap(({ attempts }) => attempts)
    .map(({ idx, outcome, finishedAt, durationMs, cpuPercent, memoryMb, error, nextDelayMs }) => ({
      step: chain.definition.steps[idx]?.name ?? '',
      ...{ outcome, finishedAt, durationMs, cpuPercent, memoryMb },
      retried: nextDelayMs === null ? null : (error?.kind ?? null),
    }));
}

const inOrder = (attempts: readonly Told[]): string[] =>
  attempts.map((each) => JSON.stringify(each, Object.keys(each).sort())).sort();

describe('whoever wants to be told of attempts by transactions', () => {
  let transactions: JobTransactions;
  beforeAll(() => (transactions = new JobTransactions(database, stage.pipelines, { onAttempt })));
  afterAll(() => transactions.close());

  const end = async (jobId: string, result: Parameters<typeof endAttempt>[2], key = attemptKey()): Promise<unknown> =>
    (
      await transactions.run({
        jobId,
        apply: (draft, { pools }) => endAttempt(draft, key, result, MEASURED, pools, () => false),
      })
    )?.result;

  it('hears of each as it is recorded: completed, retried, failed for good', async () => {
    const ids = [await stage.put(chain), await stage.put(chain), await stage.put(chain)] as const;
    await Promise.all([end(ids[0], COMPLETED), end(ids[1], failure(1_000)), end(ids[2], failure('final'))]);
    expect(inOrder(told)).toEqual(inOrder(await recorded(...ids)));
    expect(told.map(({ outcome, retried }) => `${outcome} ${retried}`).sort()).toEqual([
      ...['completed null', 'failed null', 'failed transient'],
    ]);
  });

  it('hears of a crash, which has no figures', async () => {
    const running = { status: 'running', worker: 'gone', epoch: 1, startedAt: NOW, idx: 0 } as const;
    const id = await stage.put(chain, { fields: { slow: set(0) }, rows: [running] });
    await transactions.run({
      jobId: id,
      apply: (draft, { leases, pools }) =>
        claimStep(draft, {
          ...{ run: 1, head: 0, worker: 'me', leases, pools },
          ...{ isOwn: () => false, knows: () => false, mayTakeSuspect: () => true },
        }),
    });
    expect(told).toMatchObject([{ outcome: 'crashed', retried: null, durationMs: null, cpuPercent: null }]);
    expect(inOrder(told)).toEqual(inOrder(await recorded(id)));
  });

  it('hears nothing of what is stale, of a rule that throws, and of a commit that fails', async () => {
    const [stale, thrown, failed] = [await stage.put(chain), await stage.put(chain), await stage.put(chain)];
    expect(await end(stale, COMPLETED, attemptKey({ run: 7 }))).toMatchObject({ kind: 'stale' });
    const broken = transactions.run({
      jobId: thrown,
      apply: (draft, { pools }) => {
        endAttempt(draft, attemptKey(), COMPLETED, MEASURED, pools, () => false);
        throw new Error('a rule');
      },
    });
    await expect(broken).rejects.toThrow('a rule');
    const unstorable = { ...MEASURED, durationMs: 'none' as unknown as number };
    const refused = transactions.run({
      jobId: failed,
      apply: (draft, { pools }) => endAttempt(draft, attemptKey(), COMPLETED, unstorable, pools, () => false),
    });
    await expect(refused).rejects.toThrow();
    expect([told, await recorded(stale, thrown, failed)]).toEqual([[], []]);
  });
});

describe('whoever wants to be told of attempts by a worker’s settlements', () => {
  let settlement: TurnSettlement;
  const incarnation = new Incarnation('me-1', 0, Infinity);
  beforeAll(() => {
    const lease = { isOwn: () => true, current: incarnation } as unknown as WorkerLease;
    settlement = new TurnSettlement({
      ...{ database, pipelines: stage.pipelines, lease, turns: new ActiveTurns(), onAttempt },
      ...{ isDraining: () => false, onUntold: () => undefined, onRunning: () => undefined },
    });
  });
  afterAll(() => settlement.close());

  const completed = (idx: number): FastStep => ({ kind: 'completed', idx, output: {}, ...MEASURED });

  function take(jobId: string): ActiveTurn {
    const message = { job_id: jobId, run: 1, head: 0, at: 1, read: false, pipeline_hash: chain.hash };
    const turn = new ActiveTurn(message, {} as Delivery, incarnation);
    return Object.assign(turn, { pipeline: chain, fast: true, unrecorded: [completed(0)] });
  }

  it('hears of the steps that a fast turn has completed', async () => {
    const id = await stage.put(chain);
    await settlement.settleFast(take(id), chain);
    expect(told).toHaveLength(1);
    expect(told).toEqual(await recorded(id));
  });

  it('hears of what is recorded with a step that still runs, and not of that step', async () => {
    const id = await stage.put(chain);
    const turn = take(id);
    turn.current = { idx: 1, epoch: 1, attempt: 1, grantedBy: incarnation };
    turn.startedAt = MEASURED.startedAt;
    await settlement.recordNow(turn, chain);
    expect(told.map(({ step }) => step)).toEqual(['a']);
    expect(told).toEqual(await recorded(id));
  });

  it('hears nothing of what somebody else owns by now', async () => {
    const id = await stage.put(chain, { fields: { slow: set(0) } });
    expect(await settlement.settleFast(take(id), chain)).toEqual({ kind: 'stale' });
    expect([told, await recorded(id)]).toEqual([[], []]);
  });
});
