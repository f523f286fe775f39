import { JOB_STATUSES, STEP_ROW_STATUSES } from '#shared/domain/status';
import type { JobDraft, StepRow } from '#shared/domain/turn/job-draft';
import { handBack, mendSteps, releaseJob, releaseParked, releaseRetry } from '#shared/domain/turn/mend';
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

const SEEN = NOW - 60 * SECOND;
const LIVE = ['pending', 'running'] as const;
const NOT_LIVE = JOB_STATUSES.filter((status) => status !== 'pending' && status !== 'running');

const rowOf = (draft: JobDraft, idx = 0): StepRow | undefined => draft.rows.get(idx);

/** Applies the rule, and holds the draft to having changed nothing at all. */
function expectUntouched<T>(draft: JobDraft, rule: (draft: JobDraft) => T, result: T): void {
  const before = stateOf(draft);
  expect(rule(draft)).toBe(result);
  expect(stateOf(draft)).toEqual(before);
}

describe('mendSteps', () => {
  const forked = (settings: DraftSettings = {}): JobDraft =>
    draftOf({ pipeline: DIAMOND, ...settings, job: { done: set(0), open: set(1, 2), ...settings.job } });
  const all = (): boolean => true;

  it.each(LIVE)('hands lost steps of a job that is %s out again, carried by their own messages', (status) => {
    const draft = forked({ job: { status }, rows: [{ idx: 1, status: 'running', worker: 'gone', turn: 0, epoch: 3 }] });
    expect(mendSteps(draft, set(1, 2), SEEN, all)).toBe(set(1, 2));
    expect(draft.opened).toBe(set(1, 2));
    expect(draft.job).toMatchObject({ status, open: set(1, 2), dispatchedAt: NOW, slow: 0n, done: set(0) });
    expect(rowOf(draft, 1)).toMatchObject({ status: 'running', worker: 'gone', turn: 1, epoch: 3 });
    expect(rowOf(draft, 2)).toBeUndefined();
    expect(draft.changedRows).toEqual(new Set([1]));
    expect(draft.changed).toBe(true);
  });

  it('asks of each open step, with its row, whether it is lost, and leaves those that are not', () => {
    const asked: [number | null, string][] = [];
    const draft = forked({ rows: [{ idx: 2, status: 'queued', turn: 0 }] });
    const isLost = (row: StepRow | undefined): boolean => {
      asked.push([row?.idx ?? null, row?.status ?? 'none']);
      return row !== undefined;
    };
    expect(mendSteps(draft, set(0, 1, 2, 3), SEEN, isLost)).toBe(set(2));
    expect(asked).toEqual([
      [null, 'none'],
      [2, 'queued'],
    ]);
    expect(draft.opened).toBe(set(2));
    expect(rowOf(draft, 2)?.turn).toBe(2);
  });

  it.each(NOT_LIVE)('changes nothing of a job that is %s', (status) => {
    expectUntouched(forked({ job: { status } }), (draft) => mendSteps(draft, set(1, 2), SEEN, all), 0n);
  });

  it('changes nothing once another has mended it, or a settlement has opened steps', () => {
    for (const dispatchedAt of [SEEN + 1, SEEN - 1, null]) {
      expectUntouched(forked({ job: { dispatchedAt } }), (draft) => mendSteps(draft, set(1, 2), SEEN, all), 0n);
    }
  });

  it('changes nothing when nothing is lost', () => {
    expectUntouched(forked({ rows: [{ idx: 1 }] }), (draft) => mendSteps(draft, set(1, 2), SEEN, () => false), 0n);
    expectUntouched(forked(), (draft) => mendSteps(draft, set(0, 3), SEEN, all), 0n);
  });
});

describe('releaseRetry', () => {
  const waiting = (row: Partial<StepRow> = {}, settings: DraftSettings = {}): JobDraft =>
    draftOf({
      ...settings,
      rows: [{ idx: 0, status: 'retrying', awaitsScheduler: true, nextRetryAt: NOW, retryCount: 2, turn: 5, ...row }],
    });
  const release = (draft: JobDraft): boolean => releaseRetry(draft, 0);

  it('hands a step out again the moment its back-off is over', () => {
    const draft = waiting();
    expect(release(draft)).toBe(true);
    expect(rowOf(draft)).toMatchObject({ status: 'queued', nextRetryAt: null, turn: 0, retryCount: 2 });
    expect(draft.job).toMatchObject({ dispatchedAt: NOW, open: set(0) });
    expect(draft.opened).toBe(set(0));
  });

  it('does so once: the second of two schedulers finds nothing to do', () => {
    const draft = waiting();
    release(draft);
    expectUntouched(draft, release, false);
  });

  it('never before its time, nor one that a nak carries', () => {
    expectUntouched(waiting({ nextRetryAt: NOW + 1 }), release, false);
    expectUntouched(waiting({ awaitsScheduler: false }), release, false);
  });

  it.each(STEP_ROW_STATUSES.filter((status) => status !== 'retrying'))('leaves a row that is %s', (status) => {
    expectUntouched(waiting({ status }), release, false);
  });

  it.each(NOT_LIVE)('leaves a job that is %s', (status) => {
    expectUntouched(waiting({}, { job: { status } }), release, false);
  });

  it('leaves a step that is not open, or has no row', () => {
    expectUntouched(waiting({}, { job: { open: 0n } }), release, false);
    expectUntouched(draftOf(), release, false);
  });
});

describe('releaseParked', () => {
  const parked = (row: Partial<StepRow> = {}, settings: DraftSettings = {}): JobDraft =>
    draftOf({ ...settings, rows: [{ idx: 0, status: 'parked', turn: 3, ...row }] });
  const release = (draft: JobDraft): boolean => releaseParked(draft, 0);

  it.each(LIVE)('gives a parked step of a job that is %s a message; it stays parked until it is claimed', (status) => {
    const draft = parked({}, { job: { status } });
    expect(release(draft)).toBe(true);
    expect(rowOf(draft)).toMatchObject({ status: 'parked', turn: 0 });
    expect(draft.opened).toBe(set(0));
    expect(draft.changedRows).toEqual(new Set([0]));
  });

  it('does not put off the sweep of what else the job has handed out', () => {
    const draft = parked({}, { job: { status: 'running', dispatchedAt: SEEN } });
    expect(release(draft)).toBe(true);
    expect(draft.job).toMatchObject({ status: 'running', dispatchedAt: SEEN });
  });

  it.each(STEP_ROW_STATUSES.filter((status) => status !== 'parked'))('leaves a row that is %s', (status) => {
    expectUntouched(parked({ status }), release, false);
  });

  it('leaves a step that is not open, has no row, or whose job is being cancelled', () => {
    expectUntouched(parked({}, { job: { open: 0n } }), release, false);
    expectUntouched(parked({}, { job: { status: 'cancelling' } }), release, false);
    expectUntouched(draftOf(), release, false);
  });
});

describe('releaseJob', () => {
  it('hands out the roots of a job that was held', () => {
    const pipeline = pipelineOf([stepNamed('a'), stepNamed('b'), stepNamed('c', { needs: ['a', 'b'] })]);
    const draft = draftOf({ pipeline, job: { status: 'scheduled', open: 0n, dispatchedAt: null } });
    expect(releaseJob(draft)).toBe(set(0, 1));
    expect(draft.job).toMatchObject({ status: 'pending', open: set(0, 1), dispatchedAt: NOW });
    expect(draft.opened).toBe(set(0, 1));
  });

  it.each(JOB_STATUSES.filter((status) => status !== 'scheduled'))('leaves a job that is %s', (status) => {
    expectUntouched(draftOf({ job: { status } }), releaseJob, 0n);
  });
});

describe('handBack', () => {
  const LIMITED = pipelineOf([stepNamed('a', { concurrency: 1 })]);
  const held = (row: Partial<StepRow> = {}, settings: DraftSettings = {}): JobDraft =>
    draftOf({
      pipeline: LIMITED,
      ...settings,
      rows: [{ idx: 0, status: 'running', worker: 'me', epoch: 3, attempts: 2, retryCount: 1, held: true, ...row }],
    });
  const pools = (): ReturnType<typeof poolsOf> => poolsOf({ 'step:tried/a': [1, 1] });

  it.each([3, null])('gives a step and its tokens up and burns no attempt (epoch %s)', (epoch) => {
    const draft = held();
    const found = pools();
    expect(handBack(draft, 0, 'me', epoch, found)).toBe(true);
    expect(rowOf(draft)).toMatchObject({
      ...{ status: 'queued', worker: null, held: false, epoch: 3, attempts: 2, retryCount: 1, crashes: 0 },
    });
    expect(found.get('step:tried/a')?.used).toBe(0);
    expect(draft.job).toMatchObject({ status: 'running', slow: set(0), open: set(0) });
    expect([draft.attempts, draft.opened]).toEqual([[], 0n]);
  });

  it('does so in a job that is being cancelled', () => {
    expect(handBack(held({}, { job: { status: 'cancelling' } }), 0, 'me', 3, pools())).toBe(true);
  });

  it('leaves what is not its own, at another epoch, not running, not open, or without a row', () => {
    const mine = (draft: JobDraft): boolean => handBack(draft, 0, 'me', 3, pools());
    expectUntouched(held({ worker: 'other' }), mine, false);
    expectUntouched(held({ epoch: 4 }), mine, false);
    expectUntouched(held({}, { job: { open: 0n } }), mine, false);
    expectUntouched(draftOf(), mine, false);
    for (const status of STEP_ROW_STATUSES) {
      if (status !== 'running') expectUntouched(held({ status }), mine, false);
    }
  });
});
