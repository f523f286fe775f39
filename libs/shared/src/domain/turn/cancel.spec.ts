import { JOB_STATUSES, STEP_ROW_STATUSES } from '#shared/domain/status';
import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import type { JobDraft, StepRow } from '#shared/domain/turn/job-draft';
import {
  DIAMOND,
  draftOf,
  type DraftSettings,
  NOW,
  pipelineOf,
  poolsOf,
  SECOND,
  set,
  stateOf,
  stepNamed,
} from '../../../../../test/support/drafts';

const rowOf = (draft: JobDraft, idx: number): StepRow | undefined => draft.rows.get(idx);

function expectUntouched<T>(draft: JobDraft, rule: (draft: JobDraft) => T, result: T): void {
  const before = stateOf(draft);
  expect(rule(draft)).toBe(result);
  expect(stateOf(draft)).toEqual(before);
}

describe('cancelJob', () => {
  it.each(['scheduled', 'waiting'] as const)('ends a job at once that is only %s', (status) => {
    const draft = draftOf({ job: { status, open: 0n, dispatchedAt: null } });
    expect(cancelJob(draft)).toBe('cancelled');
    expect(draft.job).toMatchObject({ status: 'cancelled', open: 0n, dead: set(0, 1, 2), completedAt: NOW });
    expect(draft.changed).toBe(true);
  });

  it.each(['pending', 'running'] as const)('asks for the end of a job that is %s, and touches no step', (status) => {
    const draft = draftOf({ job: { status }, rows: [{ idx: 0, status: 'running', worker: 'other' }] });
    expect(cancelJob(draft)).toBe('cancelling');
    expect(draft.job).toMatchObject({ status: 'cancelling', open: set(0), dead: 0n, completedAt: null });
    expect(rowOf(draft, 0)).toMatchObject({ status: 'running', worker: 'other' });
    expect(draft.changedRows.size).toBe(0);
  });

  it('changes nothing the second time, nor of a job that has ended', () => {
    expectUntouched(draftOf({ job: { status: 'cancelling' } }), cancelJob, 'cancelling');
    for (const status of ['completed', 'failed', 'cancelled'] as const) {
      expectUntouched(draftOf({ job: { status } }), cancelJob, 'already_ended');
    }
  });
});

describe('finishCancel', () => {
  const ALIVE = new Map([['idle', NOW + SECOND]]);
  const WIDE = pipelineOf([
    stepNamed('done'),
    stepNamed('dead'),
    stepNamed('queued'),
    stepNamed('parked'),
    stepNamed('running', { concurrency: 1 }),
    stepNamed('retrying'),
    stepNamed('open'),
    stepNamed('later', { needs: ['open'] }),
  ]);
  const cancelling = (): JobDraft =>
    draftOf({
      pipeline: WIDE,
      job: { status: 'cancelling', done: set(0), dead: set(1), open: set(2, 3, 4, 5, 6) },
      rows: [
        { idx: 0, status: 'completed', attempts: 1, completedAt: NOW - SECOND },
        { idx: 1, status: 'failed', attempts: 1, completedAt: NOW - SECOND },
        { idx: 2, status: 'queued', attempts: 1 },
        { idx: 3, status: 'parked' },
        { idx: 4, status: 'running', epoch: 2, attempts: 1, worker: 'idle', held: true, startedAt: NOW - 3 * SECOND },
        { idx: 5, status: 'retrying', attempts: 1, nextRetryAt: NOW + SECOND, awaitsScheduler: true },
      ],
    });

  it('cancels whatever was not over, gives the tokens back, and ends the job', () => {
    const draft = cancelling();
    const pools = poolsOf({ 'step:tried/running': [1, 1] });
    expect(finishCancel(draft, ALIVE, pools)).toBe(true);
    expect(draft.job).toMatchObject({ status: 'cancelled', open: 0n, done: set(0), completedAt: NOW });
    expect(draft.job.dead).toBe(set(1, 2, 3, 4, 5, 6, 7));
    const statuses = [...draft.rows.values()].map((row) => row.status);
    expect(statuses).toEqual(['completed', 'failed', 'cancelled', 'cancelled', 'cancelled', 'cancelled']);
    expect(rowOf(draft, 5)).toMatchObject({ nextRetryAt: null, awaitsScheduler: false, completedAt: NOW });
    expect(rowOf(draft, 4)).toMatchObject({
      held: false,
      epoch: 2,
      attempts: 2,
      lastError: { kind: 'cancelled', attempt: 2 },
    });
    expect([rowOf(draft, 0)?.completedAt, rowOf(draft, 1)?.completedAt]).toEqual([NOW - SECOND, NOW - SECOND]);
    expect(pools.get('step:tried/running')?.used).toBe(0);
    expect(draft.changedRows).toEqual(new Set([2, 3, 4, 5]));
  });

  it('records the attempt of what ran, and of nothing else', () => {
    const draft = cancelling();
    finishCancel(draft, ALIVE, poolsOf({ 'step:tried/running': [1, 1] }));
    expect(draft.attempts).toMatchObject([
      {
        ...{ idx: 4, epoch: 2, number: 2, worker: 'idle', outcome: 'cancelled', durationMs: 0, nextDelayMs: null },
        ...{ startedAt: NOW - 3 * SECOND, finishedAt: NOW, error: { kind: 'cancelled' } },
      },
    ]);
  });

  it.each<[string, ReadonlyMap<string, number>]>([
    ['no lease', new Map()],
    ['a lease that is over', new Map([['idle', NOW]])],
  ])('counts a worker with %s as one that died of the step, without figures', (_, leases) => {
    const draft = cancelling();
    finishCancel(draft, leases, poolsOf({ 'step:tried/running': [1, 1] }));
    const unknown = { durationMs: null, cpuPercent: null, memoryMb: null };
    expect(draft.attempts).toMatchObject([{ idx: 4, epoch: 2, number: 2, outcome: 'crashed', ...unknown }]);
    expect(rowOf(draft, 4)).toMatchObject({ status: 'cancelled', crashes: 1, held: false, attempts: 2 });
    expect(draft.deadLetters).toEqual([]);
  });

  it.each(JOB_STATUSES.filter((status) => status !== 'cancelling'))('leaves a job that is %s', (status) => {
    const draft = draftOf({ job: { status }, rows: [{ idx: 0, status: 'running' }] });
    expectUntouched(draft, () => finishCancel(draft, ALIVE, new Map()), false);
  });
});

describe('retryJob', () => {
  /** `a` and `c` completed, `b` failed, so `d` was skipped. */
  const failed = (settings: DraftSettings = {}): JobDraft =>
    draftOf({
      pipeline: DIAMOND,
      rows: [
        { idx: 0, status: 'completed', attempts: 1, turn: 0 },
        {
          idx: 1,
          status: 'failed',
          epoch: 4,
          attempts: 3,
          retryCount: 2,
          crashes: 1,
          turn: 0,
          worker: 'other',
          completedAt: NOW,
        },
        { idx: 2, status: 'completed', attempts: 1, turn: 2 },
      ],
      ...settings,
      job: {
        status: 'failed',
        done: set(0, 2),
        dead: set(1, 3),
        open: 0n,
        slow: set(1),
        completedAt: NOW,
        ...settings.job,
      },
    });

  it('goes on from what is not completed, in a new run, with all retries', () => {
    const draft = failed();
    expect(retryJob(draft, null, new Map())).toBe(set(1));
    expect(draft.job).toMatchObject({
      ...{ status: 'pending', run: 2, done: set(0, 2), dead: 0n, open: set(1), slow: set(1, 3), completedAt: null },
      ...{ dispatchedAt: NOW, startedAt: null },
    });
    expect(draft.opened).toBe(set(1));
    expect(rowOf(draft, 1)).toMatchObject({
      ...{ status: 'queued', retryCount: 0, crashes: 0, worker: null, turn: 1, nextRetryAt: null, completedAt: null },
      ...{ epoch: 4, attempts: 3, startedAt: null, durationMs: null, cpuPercent: null, memoryMb: null },
    });
    expect(draft.redriven).toBe(set(1, 3));
    expect(draft.changedRows).toEqual(new Set([1]));
  });

  it('from a step: runs it and what needs it again, completed or not', () => {
    const draft = failed({ job: { status: 'completed', done: set(0, 1, 2, 3), dead: 0n, slow: 0n } });
    expect(retryJob(draft, 2, new Map())).toBe(set(2));
    expect(draft.job).toMatchObject({ run: 2, done: set(0, 1), slow: set(2, 3), open: set(2), status: 'pending' });
    expect(rowOf(draft, 2)).toMatchObject({ status: 'queued', epoch: 1, attempts: 1 });
    expect(rowOf(draft, 0)?.status).toBe('completed');
  });

  it('from a step of a failed job: what had failed runs again too', () => {
    const draft = failed();
    expect(retryJob(draft, 2, new Map())).toBe(set(1, 2));
    expect(draft.job).toMatchObject({ done: set(0), dead: 0n, slow: set(1, 2, 3) });
  });

  it('of a job that was cancelled before anything ran: begins with the roots', () => {
    const draft = draftOf({ pipeline: DIAMOND, job: { status: 'cancelled', open: 0n, dead: set(0, 1, 2, 3) } });
    expect(retryJob(draft, null, new Map())).toBe(set(0));
    expect(draft.job).toMatchObject({ status: 'pending', dead: 0n, slow: set(0, 1, 2, 3) });
  });

  it('leaves no row of what runs again as it was', () => {
    for (const status of STEP_ROW_STATUSES) {
      const draft = failed({ rows: [{ idx: 1, status, held: false, nextRetryAt: NOW, awaitsScheduler: true }] });
      retryJob(draft, null, new Map());
      expect(rowOf(draft, 1)).toMatchObject({ status: 'queued', awaitsScheduler: false, nextRetryAt: null });
    }
  });

  it.each(['scheduled', 'waiting', 'pending', 'running', 'cancelling'] as const)(
    'leaves a job that is %s',
    (status) => {
      expectUntouched(failed({ job: { status } }), (draft) => retryJob(draft, null, new Map()), null);
      expectUntouched(failed({ job: { status } }), (draft) => retryJob(draft, 1, new Map()), null);
    },
  );

  it('leaves a completed job unless a step is named', () => {
    const completed = failed({ job: { status: 'completed', done: set(0, 1, 2, 3), dead: 0n } });
    expectUntouched(completed, (draft) => retryJob(draft, null, new Map()), null);
  });
});
