import { JOB_STATUSES, STEP_ROW_STATUSES } from '#shared/domain/status';
import { type AttemptKey, type AttemptResult, endAttempt, type SettleOutcome } from '#shared/domain/turn/end-attempt';
import type { JobDraft, Pools, StepRow } from '#shared/domain/turn/job-draft';
import {
  attemptKey,
  CHAIN,
  COMPLETED,
  DIAMOND,
  draftOf,
  type DraftSettings,
  failure,
  MEASURED,
  NOW,
  pipelineOf,
  poolsOf,
  SECOND,
  set,
  stateOf,
  stepNamed,
} from '../../../../../test/support/drafts';

const NOTHING_KEPT = (): boolean => false;
const STALE: SettleOutcome = { kind: 'stale' };

function end(
  draft: JobDraft,
  key: Partial<AttemptKey> = {},
  result: AttemptResult = COMPLETED,
  mayKeep: (idx: number) => boolean = NOTHING_KEPT,
  pools: Pools = new Map(),
): SettleOutcome {
  return endAttempt(draft, attemptKey(key), result, MEASURED, pools, mayKeep);
}

const rowOf = (draft: JobDraft, idx = 0): StepRow | undefined => draft.rows.get(idx);

const MINE: Partial<StepRow> = { status: 'running', worker: 'me', epoch: 3, attempts: 1, retryCount: 1 };
const SLOW = { fast: false, epoch: 3 };

/** A job whose first step this worker has claimed. */
const claimed = (row: Partial<StepRow> = {}, settings: DraftSettings = {}): JobDraft =>
  draftOf({ ...settings, job: { slow: set(0), ...settings.job }, rows: [{ idx: 0, ...MINE, ...row }] });

describe('endAttempt, of somebody who is not the owner', () => {
  const results = [COMPLETED, failure(), failure('final')];
  const notRunning = STEP_ROW_STATUSES.filter((status) => status !== 'running');
  const notLive = JOB_STATUSES.filter((status) => !['pending', 'running', 'cancelling'].includes(status));

  function expectStale(make: () => JobDraft, key: Partial<AttemptKey>): void {
    for (const result of results) {
      const draft = make();
      const before = stateOf(draft);
      expect(end(draft, key, result, () => true)).toEqual(STALE);
      expect(stateOf(draft)).toEqual(before);
    }
  }

  it.each(notLive)('changes nothing of a job that is %s', (status) => {
    expectStale(() => draftOf({ job: { status } }), {});
    expectStale(() => claimed({}, { job: { status } }), SLOW);
  });

  it.each([0, 1, 3])('changes nothing in run 2 by an attempt of run %s', (run) => {
    expectStale(() => draftOf({ job: { run: 2 } }), { run });
    expectStale(() => claimed({}, { job: { run: 2 } }), { ...SLOW, run });
  });

  it.each([
    ['is completed', { done: set(0), open: set(1) }],
    ['is dead', { dead: set(0), open: set(1) }],
    ['is not handed out', { open: set(1) }],
    ['is completed and yet handed out', { done: set(0), open: set(0) }],
    ['is dead and yet handed out', { dead: set(0), open: set(0) }],
  ])('changes nothing of a step that %s', (_, job) => {
    expectStale(() => draftOf({ job }), {});
    expectStale(() => claimed({}, { job }), SLOW);
  });

  it('changes nothing unread once somebody has claimed, failed or handed back the step', () => {
    expectStale(() => draftOf({ job: { slow: set(0) } }), {});
    expectStale(() => claimed({ epoch: 1 }), { fast: true, epoch: 1 });
  });

  it.each(notRunning)('changes nothing when the row is %s', (status) => {
    expectStale(() => draftOf({ rows: [{ idx: 0, status, worker: 'me' }] }), {});
    expectStale(() => claimed({ status }), SLOW);
  });

  it.each([1, 2, 4])('changes nothing by epoch %s when the row is at 3', (epoch) => {
    expectStale(() => claimed(), { ...SLOW, epoch });
  });

  it('changes nothing of a claimed step whose row is gone', () => {
    expectStale(() => draftOf(), SLOW);
  });
});

describe('endAttempt, completed', () => {
  it('unread: makes the row, the attempt and the job what they become, and opens what is ready', () => {
    const draft = draftOf({ job: { status: 'pending' } });
    expect(end(draft)).toEqual({ kind: 'settled', kept: null, retry: null });
    expect(draft.job).toMatchObject({
      ...{ status: 'running', done: set(0), dead: 0n, open: set(1), slow: 0n },
      ...{ startedAt: MEASURED.startedAt, dispatchedAt: NOW, completedAt: null },
    });
    expect(draft.opened).toBe(set(1));
    expect(rowOf(draft)).toMatchObject({
      ...{ status: 'completed', epoch: 1, attempts: 1, worker: 'me', turn: 0, retryCount: 0, held: false },
      ...{ startedAt: MEASURED.startedAt, completedAt: MEASURED.finishedAt, durationMs: 2_000 },
      ...{ cpuPercent: 50, memoryMb: 128, lastError: null, output: { found: 3 } },
    });
    expect(rowOf(draft, 1)).toBeUndefined();
    const { startedAt, finishedAt, durationMs, cpuPercent, memoryMb } = MEASURED;
    expect(draft.attempts).toEqual([
      {
        ...{ idx: 0, epoch: 1, number: 1, worker: 'me', outcome: 'completed', error: null, nextDelayMs: null },
        ...{ startedAt, finishedAt, durationMs, cpuPercent, memoryMb },
      },
    ]);
  });

  it('claimed: goes on counting where the row stood, and keeps the last error to see', () => {
    const lastError = {
      message: 'x',
      kind: 'transient',
      code: null,
      at: '2026-01-01T00:00:00.000Z',
      attempt: 1,
    } as const;
    const draft = claimed({ lastError }, { job: { startedAt: NOW - 99 * SECOND } });
    end(draft, SLOW);
    expect(rowOf(draft)).toMatchObject({ status: 'completed', epoch: 3, attempts: 2, retryCount: 1, lastError });
    expect(draft.attempts).toMatchObject([{ epoch: 3, number: 2, outcome: 'completed' }]);
    expect(draft.job).toMatchObject({ startedAt: NOW - 99 * SECOND, slow: set(0) });
  });

  it('ends the job with its last step', () => {
    const draft = draftOf({ job: { done: set(0, 1), open: set(2) } });
    end(draft, { head: 2, idx: 2 });
    expect(draft.job).toMatchObject({ status: 'completed', open: 0n, done: set(0, 1, 2), completedAt: NOW });
    expect(draft.opened).toBe(0n);
  });

  it('ends the job as failed when a branch has failed before', () => {
    const job = { done: set(0), dead: set(2, 3), open: set(1) };
    const draft = draftOf({ pipeline: DIAMOND, job });
    end(draft, { head: 1, idx: 1 });
    expect(draft.job).toMatchObject({ status: 'failed', dead: set(2, 3), done: set(0, 1), completedAt: NOW });
  });

  it.each([
    ['b', 1, 2],
    ['c', 2, 1],
  ])('opens a join with the last of its needs only: %s first', (_, first, last) => {
    const draft = draftOf({ pipeline: DIAMOND, job: { done: set(0), open: set(1, 2) } });
    end(draft, { head: first, idx: first });
    expect(draft.job.open).toBe(set(last));
    end(draft, { head: last, idx: last });
    expect(draft.job.open).toBe(set(3));
    expect(draft.opened).toBe(set(3));
  });

  it('opens nothing that is open, done or dead already', () => {
    const fan = pipelineOf([
      stepNamed('a'),
      ...['b', 'c', 'd', 'e'].map((name) => stepNamed(name, { needs: ['a'] })),
      stepNamed('f', { needs: [] }),
    ]);
    const draft = draftOf({ pipeline: fan, job: { done: set(2), dead: set(3), open: set(0, 1) } });
    end(draft);
    expect(draft.opened).toBe(set(4, 5));
    expect(draft.job.open).toBe(set(1, 4, 5));
  });

  it('opens nothing while the job is being cancelled, and completes it if that was the last', () => {
    const draft = draftOf({ job: { status: 'cancelling' } });
    end(draft, {}, COMPLETED, () => true);
    expect(draft.job).toMatchObject({ status: 'cancelling', done: set(0), open: 0n, completedAt: null });
    expect(draft.rows.size).toBe(1);
    const last = draftOf({ job: { status: 'cancelling', done: set(0, 1), open: set(2) } });
    end(last, { head: 2, idx: 2 });
    expect(last.job).toMatchObject({ status: 'completed', completedAt: NOW });
  });

  it('gives the tokens back', () => {
    const pipeline = pipelineOf([stepNamed('a', { concurrency: 2, resources: { llm: 3 } })]);
    const pools = poolsOf({ 'step:tried/a': [2, 2], 'resource:llm': [4, 4] });
    const draft = claimed({ held: true }, { pipeline });
    end(draft, SLOW, COMPLETED, NOTHING_KEPT, pools);
    expect(rowOf(draft)?.held).toBe(false);
    expect(pools).toEqual(poolsOf({ 'step:tried/a': [1, 2], 'resource:llm': [1, 4] }));
  });
});

describe('endAttempt, and the step that the turn goes on with', () => {
  const diamondAfterRoot = (settings: DraftSettings = {}): JobDraft => draftOf({ pipeline: DIAMOND, ...settings });

  it('is the first that may be kept; the others need a message', () => {
    const draft = diamondAfterRoot();
    expect(end(draft, {}, COMPLETED, () => true)).toMatchObject({ kept: { idx: 1, epoch: 1, attempt: 1 } });
    expect(draft.opened).toBe(set(2));
    const other = diamondAfterRoot();
    expect(end(other, {}, COMPLETED, (idx) => idx === 2)).toMatchObject({ kept: { idx: 2 } });
    expect(other.opened).toBe(set(1));
    expect(other.job.open).toBe(set(1, 2));
  });

  it('has its row at once: running, mine, carried by my message, at the epoch that nobody had to read', () => {
    const draft = diamondAfterRoot();
    end(draft, { head: 0 }, COMPLETED, () => true);
    expect(rowOf(draft, 1)).toMatchObject({
      ...{ status: 'running', epoch: 1, attempts: 0, worker: 'me', turn: 0, startedAt: NOW, completedAt: null },
    });
    expect(draft.job.slow).toBe(0n);
    expect(draft.changedRows).toEqual(new Set([0, 1]));
  });

  it('of a claimed attempt is claimed too', () => {
    const draft = claimed();
    expect(end(draft, { ...SLOW, head: 0 }, COMPLETED, () => true)).toMatchObject({ kept: { idx: 1, epoch: 2 } });
    expect(draft.job.slow).toBe(set(0, 1));
  });

  it('of a step that has begun before is claimed: its epoch goes on, and so do its attempts', () => {
    const again = { idx: 1, status: 'queued', epoch: 4, attempts: 3, turn: 1, nextRetryAt: null } as const;
    const draft = draftOf({ rows: [again] });
    expect(end(draft, {}, COMPLETED, () => true)).toMatchObject({ kept: { idx: 1, epoch: 5, attempt: 4 } });
    expect(draft.job.slow).toBe(set(1));
    expect(rowOf(draft, 1)).toMatchObject({ turn: 0, worker: 'me' });
  });
});

describe('endAttempt, failed', () => {
  it('with a retry to come: waits, counts it, keeps the error, stays open', () => {
    const draft = draftOf({ job: { status: 'pending' } });
    const retry = { kind: 'retry', delayMs: 2_500, viaScheduler: false };
    expect(end(draft, { head: 0 }, failure(2_500))).toEqual({ kind: 'settled', kept: null, retry });
    expect(rowOf(draft)).toMatchObject({
      ...{ status: 'retrying', retryCount: 1, attempts: 1, epoch: 1, turn: 0, completedAt: null },
      ...{ nextRetryAt: MEASURED.finishedAt + 2.5 * SECOND, awaitsScheduler: false },
      lastError: { message: 'no luck', kind: 'transient', code: 'E_LUCK', at: '2026-01-02T03:04:05.000Z', attempt: 1 },
    });
    expect(draft.job).toMatchObject({ status: 'running', open: set(0), slow: set(0), dead: 0n });
    expect(draft.attempts).toMatchObject([
      { outcome: 'failed', number: 1, nextDelayMs: 2_500, error: { kind: 'transient' } },
    ]);
    expect(draft.opened).toBe(0n);
  });

  it('leaves a long back-off to the scheduler', () => {
    const draft = claimed();
    end(draft, SLOW, failure(60_000, true));
    expect(rowOf(draft)).toMatchObject({
      awaitsScheduler: true,
      retryCount: 2,
      nextRetryAt: MEASURED.finishedAt + 60 * SECOND,
    });
  });

  it('takes no end of an attempt that is yet to come: a clock was wrong', () => {
    const draft = draftOf();
    endAttempt(draft, attemptKey(), failure(2_500), { ...MEASURED, finishedAt: NOW + SECOND }, new Map(), NOTHING_KEPT);
    expect(rowOf(draft)).toMatchObject({ nextRetryAt: NOW + 2.5 * SECOND });
  });

  it('for good: ends the step, what needs it, and the job when nothing else is open', () => {
    const draft = claimed({}, { job: { done: 0n } });
    expect(end(draft, SLOW, failure('final'))).toMatchObject({ retry: { kind: 'final' } });
    expect(rowOf(draft)).toMatchObject({
      ...{ status: 'failed', retryCount: 1, attempts: 2, completedAt: MEASURED.finishedAt, nextRetryAt: null },
    });
    expect(draft.rows.size).toBe(1);
    expect(draft.job).toMatchObject({ status: 'failed', open: 0n, dead: set(0, 1, 2), completedAt: NOW });
    expect(draft.attempts).toMatchObject([{ nextDelayMs: null, outcome: 'failed' }]);
  });

  it('for good: leaves one dead letter, and a retry to come none', () => {
    const draft = claimed();
    end(draft, SLOW, failure('final'));
    expect(draft.deadLetters).toMatchObject([{ idx: 0, attempts: 2, error: { message: 'no luck', code: 'E_LUCK' } }]);
    const waiting = claimed();
    end(waiting, SLOW, failure());
    expect(waiting.deadLetters).toEqual([]);
  });

  it('for good: names what died of it, once: not what had died before', () => {
    const first = draftOf({ pipeline: DIAMOND, job: { done: set(0), open: set(1, 2) } });
    end(first, { head: 1, idx: 1 }, failure('final'));
    expect(first.buried).toBe(set(3));
    const second = draftOf({ pipeline: DIAMOND, job: { done: set(0), open: set(2), dead: set(1, 3) } });
    end(second, { head: 2, idx: 2 }, failure('final'));
    expect(second.buried).toBe(0n);
  });

  it('for good: lets the branch that does not need it go on', () => {
    const draft = draftOf({ pipeline: DIAMOND, job: { done: set(0), open: set(1, 2) } });
    end(draft, { head: 1, idx: 1 }, failure('final'));
    expect(draft.job).toMatchObject({ status: 'running', open: set(2), dead: set(1, 3), completedAt: null });
  });

  it.each(['failed', 'timeout'] as const)('keeps the outcome: %s', (outcome) => {
    const draft = draftOf();
    end(draft, {}, { ...failure(), outcome });
    expect(draft.attempts).toMatchObject([{ outcome }]);
  });

  it('asks the policy with the retries so far, also of a step without a row', () => {
    const asked: number[] = [];
    const result = {
      ...failure(),
      retry: (retryCount: number) => (asked.push(retryCount), { kind: 'final' as const }),
    };
    end(draftOf(), {}, result);
    end(claimed({ retryCount: 2 }), SLOW, result);
    expect(asked).toEqual([0, 2]);
  });

  it('never retries more often than a policy of max_retries allows, and fails exactly then', () => {
    const maxRetries = 3;
    const draft = draftOf();
    const policy = {
      ...failure(),
      retry: (count: number) => (count >= maxRetries ? { kind: 'final' as const } : failure().retry(count)),
    };
    const counts: number[] = [];
    for (let attempt = 1; draft.job.status === 'running'; attempt += 1) {
      const row = rowOf(draft);
      if (row) Object.assign(row, { status: 'running', epoch: row.epoch + 1 });
      end(draft, attempt === 1 ? {} : { fast: false, epoch: attempt }, policy);
      counts.push(rowOf(draft)?.retryCount ?? -1);
    }
    expect(counts).toEqual([1, 2, 3, 3]);
    expect(draft.attempts.map((attempt) => attempt.number)).toEqual([1, 2, 3, 4]);
  });

  it('while the job is being cancelled: does not fail it', () => {
    const draft = claimed({}, { job: { status: 'cancelling' } });
    end(draft, SLOW, failure('final'));
    expect(draft.job).toMatchObject({ status: 'cancelling', open: 0n, dead: set(0, 1, 2), completedAt: null });
  });

  it.each([failure(), failure('final')])('gives the tokens back', (result) => {
    const pipeline = pipelineOf([stepNamed('a', { concurrency: 1 })]);
    const pools = poolsOf({ 'step:tried/a': [1, 1] });
    const draft = claimed({ held: true }, { pipeline });
    end(draft, SLOW, result, NOTHING_KEPT, pools);
    expect([rowOf(draft)?.held, pools.get('step:tried/a')?.used]).toEqual([false, 0]);
  });
});

describe('endAttempt, stopped by a cancel', () => {
  const STOPPED: AttemptResult = { kind: 'cancelled' };

  it.each([
    ['claimed', () => claimed({}, { job: { status: 'cancelling', done: 0n } }), SLOW, 2],
    ['begun unread', () => draftOf({ job: { status: 'cancelling' } }), {}, 1],
  ] as const)('ends the step that was %s, and what needs it, with its figures', (_, make, key, attempts) => {
    const draft = make();
    expect(end(draft, key, STOPPED)).toEqual({ kind: 'settled', kept: null, retry: null });
    const ended = { completedAt: MEASURED.finishedAt, cpuPercent: MEASURED.cpuPercent };
    const lastError = { kind: 'cancelled', attempt: attempts };
    expect(rowOf(draft)).toMatchObject({ status: 'cancelled', attempts, ...ended, lastError });
    expect(draft.attempts).toMatchObject([
      { outcome: 'cancelled', durationMs: MEASURED.durationMs, nextDelayMs: null },
    ]);
    expect(draft.job).toMatchObject({ status: 'cancelling', open: 0n, dead: set(0, 1, 2), completedAt: null });
    expect(draft.deadLetters).toEqual([]);
  });

  it('gives the tokens back', () => {
    const pipeline = pipelineOf([stepNamed('a', { concurrency: 1 })]);
    const pools = poolsOf({ 'step:tried/a': [1, 1] });
    const draft = claimed({ held: true }, { pipeline, job: { status: 'cancelling' } });
    end(draft, SLOW, STOPPED, NOTHING_KEPT, pools);
    expect([rowOf(draft)?.held, pools.get('step:tried/a')?.used]).toEqual([false, 0]);
  });

  it.each(['pending', 'running'] as const)('changes nothing of a job that is %s: nobody has cancelled it', (status) => {
    const draft = claimed({}, { job: { status } });
    const before = stateOf(draft);
    expect(end(draft, SLOW, STOPPED)).toEqual(STALE);
    expect(stateOf(draft)).toEqual(before);
  });
});

it('a turn of several unread steps is what its steps are one after another', () => {
  const draft = draftOf({ pipeline: CHAIN, job: { status: 'pending' } });
  expect(end(draft, { idx: 0 }, COMPLETED, () => true)).toMatchObject({ kept: { idx: 1 } });
  expect(end(draft, { idx: 1 }, COMPLETED, () => true)).toMatchObject({ kept: { idx: 2 } });
  expect(end(draft, { idx: 2 })).toMatchObject({ kept: null });
  expect(draft.job).toMatchObject({ status: 'completed', done: set(0, 1, 2), open: 0n, slow: 0n });
  expect([...draft.rows.values()].map((row) => [row.epoch, row.turn, row.attempts])).toEqual([
    [1, 0, 1],
    [1, 0, 1],
    [1, 0, 1],
  ]);
});
