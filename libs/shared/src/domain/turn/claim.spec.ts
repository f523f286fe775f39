import { JOB_STATUSES, STEP_ROW_STATUSES } from '#shared/domain/status';
import { type ClaimOutcome, type ClaimRequest, claimStep, MAX_CRASHES } from '#shared/domain/turn/claim';
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

const LIMITED = pipelineOf([stepNamed('a', { concurrency: 2, resources: { llm: 3 } })]);
const POOLS = { free: { 'step:tried/a': [1, 2], 'resource:llm': [0, 3] } } as const;

const request = (over: Partial<ClaimRequest> = {}): ClaimRequest => ({
  run: 1,
  head: 0,
  worker: 'me',
  leases: new Map([
    ['me', NOW + 5 * SECOND],
    ['alive', NOW + 4 * SECOND],
    ['expired', NOW],
  ]),
  pools: new Map(),
  isOwn: (worker) => worker === 'me' || worker === 'me before',
  knows: () => false,
  mayTakeSuspect: () => true,
  ...over,
});

/** A job whose first step has this row; its other steps are not handed out. */
const withRow = (row: Partial<StepRow> | null, settings: DraftSettings = {}): JobDraft =>
  draftOf({ rows: row ? [{ idx: 0, ...row }] : [], ...settings });

const rowOf = (draft: JobDraft, idx = 0): StepRow => {
  const row = draft.rows.get(idx);
  if (!row) throw new Error(`step ${idx} has no row`);
  return row;
};

/** Claims, and holds the draft to having changed nothing at all. */
function expectUntouched(draft: JobDraft, asked: ClaimRequest, outcome: ClaimOutcome): void {
  const before = stateOf(draft);
  const poolsBefore = structuredClone(asked.pools);
  expect(claimStep(draft, asked)).toEqual(outcome);
  expect(stateOf(draft)).toEqual(before);
  expect(asked.pools).toEqual(poolsBefore);
}

const NOTHING: ClaimOutcome = { kind: 'nothing' };

interface Situation {
  readonly status: StepRow['status'] | 'none';
  readonly worker: 'me' | 'me before' | 'alive' | 'expired' | 'unheard of';
  readonly knows: boolean;
  readonly due: boolean;
  readonly awaitsScheduler: boolean;
  readonly crashes: number;
  readonly maySuspect: boolean;
}

/** Every combination, those without meaning for the status left out. */
function situations(): Situation[] {
  const found: Situation[] = [];
  for (const status of ['none', ...STEP_ROW_STATUSES] as const)
    for (const worker of status === 'running'
      ? (['me', 'me before', 'alive', 'expired', 'unheard of'] as const)
      : ['me' as const])
      for (const knows of worker.startsWith('me') && status === 'running' ? [true, false] : [false])
        for (const due of status === 'retrying' ? [true, false] : [true])
          for (const awaitsScheduler of status === 'retrying' ? [true, false] : [false])
            for (const crashes of status === 'none' ? [0] : [0, 1, 2])
              for (const maySuspect of [true, false])
                found.push({ status, worker, knows, due, awaitsScheduler, crashes, maySuspect });
  return found;
}

type Expected = 'taken' | 'taken after a crash' | 'quarantined' | 'suspect_waits' | 'nothing' | number;

/** The protocol's claim, told again: a number is "later", in milliseconds. */
function expectedOf(found: Situation): Expected {
  const held = found.crashes > 0 && !found.maySuspect ? 'suspect_waits' : 'taken';
  switch (found.status) {
    case 'none':
      return 'taken';
    case 'queued':
    case 'parked':
      return held;
    case 'retrying':
      if (found.due) return held;
      return found.awaitsScheduler ? 'nothing' : 2_500;
    case 'running':
      if (found.worker === 'me' || found.worker === 'me before') return found.knows ? 1_000 : held;
      if (found.worker === 'alive') return 4_000;
      if (found.crashes + 1 >= 3) return 'quarantined';
      return found.maySuspect ? 'taken after a crash' : 'suspect_waits';
    case 'completed':
    case 'failed':
    case 'cancelled':
      return 'nothing';
  }
}

const nameOf = (found: Situation): string =>
  Object.entries(found)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');

describe('claimStep, for every row that an open step can have', () => {
  it.each(situations().map((found) => [nameOf(found), found] as const))('%s', (_, found) => {
    const { status, worker, crashes } = found;
    const row: Partial<StepRow> = {
      ...{ status: status === 'none' ? 'queued' : status, worker, crashes, epoch: 4, attempts: 2, retryCount: 1 },
      nextRetryAt: status === 'retrying' ? NOW + (found.due ? 0 : 2.5 * SECOND) : null,
      awaitsScheduler: found.awaitsScheduler,
      startedAt: NOW - 9 * SECOND,
    };
    const draft = withRow(status === 'none' ? null : row);
    const asked = request({ knows: () => found.knows, mayTakeSuspect: () => found.maySuspect });
    const expected = expectedOf(found);
    if (expected === 'nothing') return expectUntouched(draft, asked, NOTHING);
    if (expected === 'suspect_waits') return expectUntouched(draft, asked, { kind: 'suspect_waits' });
    if (typeof expected === 'number') return expectUntouched(draft, asked, { kind: 'later', delayMs: expected });

    const outcome = claimStep(draft, asked);
    const crashed = expected !== 'taken';
    const known = status === 'none' ? { epoch: 1, attempts: 0 } : { epoch: 4, attempts: 2 };
    expect(draft.attempts.map((attempt) => [attempt.outcome, attempt.epoch, attempt.number])).toEqual(
      crashed ? [['crashed', 4, 3]] : [],
    );
    expect(rowOf(draft).crashes).toBe(crashes + (crashed ? 1 : 0));
    expect(rowOf(draft).retryCount).toBe(status === 'none' ? 0 : 1);
    expect(draft.job.slow).toBe(set(0));
    expect(draft.changedRows).toEqual(new Set([0]));
    if (expected === 'quarantined') {
      expect(outcome).toEqual({ kind: 'quarantined', idx: 0 });
      expect(rowOf(draft)).toMatchObject({ status: 'failed', completedAt: NOW });
      expect(draft.job).toMatchObject({ status: 'failed', open: 0n, dead: set(0, 1, 2), completedAt: NOW });
      expect(draft.deadLetters).toMatchObject([{ idx: 0, attempts: 3, error: { kind: 'crashed' } }]);
      return;
    }
    const suspect = crashes > 0 || crashed;
    const attempt = known.attempts + (crashed ? 2 : 1);
    // Under suspicion for as long as it can have run when its worker died.
    const suspectMs = crashed ? 9_000 : suspect ? 60_000 : 0;
    expect(outcome).toEqual({ kind: 'taken', idx: 0, epoch: known.epoch + 1, attempt, suspectMs });
    expect(rowOf(draft)).toMatchObject({
      ...{ status: 'running', worker: 'me', turn: 0, epoch: known.epoch + 1, startedAt: NOW, completedAt: null },
      ...{ nextRetryAt: null, awaitsScheduler: false, held: false },
    });
    expect(draft.job).toMatchObject({ status: 'running', open: set(0), done: 0n, dead: 0n, startedAt: NOW });
    expect(draft.opened).toBe(0n);
  });
});

describe('claimStep, whatever the row', () => {
  const rows = [null, ...STEP_ROW_STATUSES.map((status) => ({ status, worker: 'expired', nextRetryAt: NOW }))];

  it.each(JOB_STATUSES)('takes of a job that is %s only when it is live', (status) => {
    for (const row of rows) {
      const live = status === 'pending' || status === 'running';
      const draft = withRow(row, { job: { status } });
      if (live) expect(claimStep(draft, request()).kind).not.toBe('later');
      else expectUntouched(draft, request(), NOTHING);
    }
  });

  it.each([0, 2])('takes nothing for run %s of a job in run 1, nor for run 1 of one in run 2', (run) => {
    for (const row of rows) {
      expectUntouched(withRow(row), request({ run }), NOTHING);
      expectUntouched(withRow(row, { job: { run: 2 } }), request({ run: 1 }), NOTHING);
    }
  });

  it('takes nothing that is not handed out', () => {
    for (const row of rows) expectUntouched(withRow(row, { job: { open: set(1) } }), request(), NOTHING);
  });

  it('leaves a step whose row says that another message carries it', () => {
    for (const row of rows.filter((found) => found !== null)) {
      const draft = withRow({ ...row, turn: 2 }, { job: { open: set(0) } });
      expectUntouched(draft, request(), NOTHING);
    }
  });

  it('begins a job that was pending, and keeps the time at which it began first', () => {
    const draft = withRow(null, { job: { status: 'pending', startedAt: NOW - 60 * SECOND } });
    claimStep(draft, request());
    expect(draft.job).toMatchObject({ status: 'running', startedAt: NOW - 60 * SECOND });
  });

  it('says in how long to come back, at least a millisecond', () => {
    const draft = withRow({ status: 'retrying', nextRetryAt: NOW + 1 });
    expectUntouched(draft, request(), { kind: 'later', delayMs: 1 });
  });

  it('takes a running step in the very microsecond in which its lease ends, and not before', () => {
    const running = { status: 'running', worker: 'other' } as const;
    expectUntouched(withRow(running), request({ leases: new Map([['other', NOW + 1]]) }), {
      kind: 'later',
      delayMs: 1,
    });
    expect(claimStep(withRow(running), request({ leases: new Map([['other', NOW]]) })).kind).toBe('taken');
  });

  it('counts as many crashes as a quarantine needs', () => {
    const draft = withRow({ status: 'running', worker: 'expired' }, { pipeline: pipelineOf([stepNamed('a')]) });
    const outcomes: string[] = [];
    for (let crash = 1; crash <= MAX_CRASHES; crash += 1) {
      outcomes.push(claimStep(draft, request()).kind);
      rowOf(draft).worker = 'expired';
    }
    expect(outcomes).toEqual(['taken', 'taken', 'quarantined']);
    expect(draft.attempts.map(({ outcome, number, epoch }) => [outcome, number, epoch])).toEqual([
      ['crashed', 1, 1],
      ['crashed', 2, 2],
      ['crashed', 3, 3],
    ]);
    expect(rowOf(draft)).toMatchObject({ lastError: { kind: 'crashed', attempt: 3 }, retryCount: 0 });
  });
});

describe('claimStep, of the steps that a turn carries', () => {
  const diamond = (rows: DraftSettings['rows'], open: bigint): JobDraft =>
    draftOf({
      pipeline: DIAMOND,
      job: { done: set(0), open },
      rows: [{ idx: 0, status: 'completed' }, ...(rows ?? [])],
    });

  it('takes the head first, then what the turn has kept, the first in order', () => {
    const kept = { status: 'running', worker: 'expired', turn: 1 } as const;
    const draft = diamond(
      [
        { idx: 1, status: 'queued', turn: 1 },
        { idx: 2, ...kept },
      ],
      set(1, 2),
    );
    expect(claimStep(draft, request({ head: 1 }))).toMatchObject({ kind: 'taken', idx: 1 });
    expect(claimStep(draft, request({ head: 1, knows: (idx) => idx === 1 }))).toMatchObject({ kind: 'taken', idx: 2 });
    expect(rowOf(draft, 2)).toMatchObject({ turn: 1, worker: 'me', crashes: 1 });
  });

  it('goes on with a kept step although the head must wait', () => {
    const draft = diamond(
      [
        { idx: 1, status: 'retrying', turn: 1, nextRetryAt: NOW + SECOND },
        { idx: 2, status: 'queued', turn: 1 },
      ],
      set(1, 2),
    );
    expect(claimStep(draft, request({ head: 1 }))).toMatchObject({ kind: 'taken', idx: 2 });
  });

  it('waits for the one that is ready soonest', () => {
    const draft = diamond(
      [
        { idx: 1, status: 'retrying', turn: 1, nextRetryAt: NOW + 3 * SECOND },
        { idx: 2, status: 'retrying', turn: 1, nextRetryAt: NOW + 2 * SECOND },
      ],
      set(1, 2),
    );
    expectUntouched(draft, request({ head: 1 }), { kind: 'later', delayMs: 2_000 });
  });

  it('takes what may be taken before it waits for a suspect', () => {
    const rows = [
      { idx: 1, status: 'queued', turn: 1, crashes: 1 },
      { idx: 2, status: 'queued', turn: 1 },
    ] as const;
    const asked = request({ head: 1, mayTakeSuspect: () => false });
    expect(claimStep(diamond(rows, set(1, 2)), asked)).toMatchObject({ kind: 'taken', idx: 2 });
    expectUntouched(diamond(rows, set(1)), asked, { kind: 'suspect_waits' });
  });

  it('leaves what another turn carries, and the head of a turn that has ended', () => {
    const draft = diamond([{ idx: 2, status: 'queued', turn: 2 }], set(2));
    expectUntouched(draft, request({ head: 1 }), NOTHING);
    expectUntouched(draft, request({ head: 0 }), NOTHING);
  });
});

describe('claimStep, of a limited step', () => {
  const statuses = ['none', 'queued', 'parked', 'retrying', 'running'] as const;
  const limited = (status: (typeof statuses)[number], over: Partial<StepRow> = {}): JobDraft =>
    withRow(status === 'none' ? null : { status, worker: 'expired', nextRetryAt: NOW, ...over }, {
      pipeline: LIMITED,
      job: { status: 'pending' },
    });

  it.each(statuses)('takes all its tokens with it: %s', (status) => {
    const pools = poolsOf(POOLS.free);
    const draft = limited(status);
    expect(claimStep(draft, request({ pools })).kind).toBe('taken');
    expect(rowOf(draft).held).toBe(true);
    expect(pools).toEqual(poolsOf({ 'step:tried/a': [2, 2], 'resource:llm': [3, 3] }));
  });

  it.each([
    ['its own limit is reached', 'step:tried/a', { 'step:tried/a': [2, 2], 'resource:llm': [0, 3] }],
    ['the pool has too few', 'resource:llm', { 'step:tried/a': [0, 2], 'resource:llm': [1, 3] }],
    ['there is no such pool', 'resource:llm', { 'step:tried/a': [0, 2] }],
    ['the limit was lowered', 'step:tried/a', { 'step:tried/a': [0, 0], 'resource:llm': [0, 3] }],
  ] as const)('parks it, to wait for that pool, and takes no token when %s', (_, waitsFor, found) => {
    for (const status of statuses) {
      const pools = poolsOf(found);
      const draft = limited(status, { awaitsScheduler: true });
      expect(claimStep(draft, request({ pools }))).toEqual(NOTHING);
      expect(pools).toEqual(poolsOf(found));
      expect(rowOf(draft)).toMatchObject({ status: 'parked', held: false, worker: null, epoch: 1, turn: 0 });
      expect(rowOf(draft)).toMatchObject({ waitsFor, nextRetryAt: null, awaitsScheduler: false });
      expect(draft.job).toMatchObject({ open: set(0), slow: set(0), status: 'pending', startedAt: null });
    }
  });

  it('waits for nothing any more once it is taken, and for another pool when that is the one that is full', () => {
    const draft = limited('parked', { waitsFor: 'step:tried/a' });
    claimStep(draft, request({ pools: poolsOf({ 'step:tried/a': [1, 2], 'resource:llm': [3, 3] }) }));
    expect(rowOf(draft)).toMatchObject({ status: 'parked', waitsFor: 'resource:llm' });
    claimStep(draft, request({ pools: poolsOf(POOLS.free) }));
    expect(rowOf(draft)).toMatchObject({ status: 'running', waitsFor: null });
  });

  it('hands the tokens of a crash to the next owner, though none is free', () => {
    const pools = poolsOf({ 'step:tried/a': [2, 2], 'resource:llm': [3, 3] });
    const draft = limited('running', { held: true });
    expect(claimStep(draft, request({ pools }))).toMatchObject({
      kind: 'taken',
      suspectMs: expect.any(Number) as number,
    });
    expect(rowOf(draft).held).toBe(true);
    expect(pools).toEqual(poolsOf({ 'step:tried/a': [2, 2], 'resource:llm': [3, 3] }));
  });

  it('gives the tokens back with a quarantine', () => {
    const pools = poolsOf({ 'step:tried/a': [2, 2], 'resource:llm': [3, 3] });
    const draft = limited('running', { held: true, crashes: 2 });
    expect(claimStep(draft, request({ pools }))).toEqual({ kind: 'quarantined', idx: 0 });
    expect(pools).toEqual(poolsOf({ 'step:tried/a': [1, 2], 'resource:llm': [0, 3] }));
  });
});

it('a quarantine takes what needs the step with it and leaves the other branch', () => {
  const rows = [
    { idx: 0, status: 'completed' },
    { idx: 1, status: 'running', worker: 'expired', turn: 1, crashes: 2 },
  ] as const;
  const draft = draftOf({ pipeline: DIAMOND, job: { done: set(0), open: set(1, 2) }, rows });
  expect(claimStep(draft, request({ head: 1 }))).toEqual({ kind: 'quarantined', idx: 1 });
  expect(draft.job).toMatchObject({ status: 'running', dead: set(1, 3), open: set(2), completedAt: null });
});

it('takes no lease of its own worker for a crash: it lives, whatever became of the lease', () => {
  const draft = withRow({ status: 'running', worker: 'me before', epoch: 2 });
  expect(claimStep(draft, request())).toMatchObject({ kind: 'taken', epoch: 3 });
  expect(rowOf(draft)).toMatchObject({ crashes: 0, attempts: 0, worker: 'me' });
  const known = withRow({ status: 'running', worker: 'me before', epoch: 2 });
  expect(claimStep(known, request({ knows: () => true }))).toMatchObject({ kind: 'later' });
});
