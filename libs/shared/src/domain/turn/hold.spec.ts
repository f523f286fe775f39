import fc from 'fast-check';
import { isEnded, JOB_STATUSES, type JobStatus } from '#shared/domain/status';
import { cancelJob } from '#shared/domain/turn/cancel';
import { rescheduleJob, tellOfDependency } from '#shared/domain/turn/hold';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import type { Dependency, DependencyFailure } from '#shared/domain/turn/job-hold';
import { retryJob } from '#shared/domain/turn/retry';
import { draftOf, DIAMOND, NOW, SECOND, set, stateOf } from '../../../../../test/support/drafts';

const HELD = { open: 0n, dispatchedAt: null };
const LATER = NOW + 60 * SECOND;

const dependency = (jobId: string, over: Partial<Dependency> = {}): Dependency => ({
  ...{ jobId, outcome: null, settled: false },
  ...over,
});

interface HeldSettings {
  readonly status?: JobStatus;
  readonly eta?: number | null;
  readonly needs?: readonly string[];
  readonly onFailure?: DependencyFailure;
}

function heldJob({ status = 'waiting', eta = null, needs = ['u'], onFailure = 'fail' }: HeldSettings = {}): JobDraft {
  const dependencies = needs.map((id) => dependency(id));
  const hold = { eta, dependencies, onDependencyFailure: onFailure };
  return draftOf({ pipeline: DIAMOND, job: { status, ...HELD }, hold });
}

describe('rescheduleJob', () => {
  const scheduled = (over: HeldSettings = {}): JobDraft =>
    heldJob({ status: 'scheduled', eta: LATER, needs: [], ...over });

  it('gives a scheduled job another time', () => {
    for (const eta of [NOW + SECOND, LATER + SECOND]) {
      const draft = scheduled();
      expect(rescheduleJob(draft, { eta })).toBe(true);
      expect(draft.job).toMatchObject({ status: 'scheduled', open: 0n, dispatchedAt: null });
      expect(draft).toMatchObject({ changed: true, rescheduled: { countdown: null }, opened: 0n, hold: { eta } });
    }
  });

  it('counts from the time of the database', () => {
    const draft = scheduled();
    rescheduleJob(draft, { countdown: 1.5 });
    expect(draft.hold.eta).toBe(NOW + 1.5 * SECOND);
    expect(draft.rescheduled).toEqual({ countdown: 1.5 });
  });

  it.each([{ eta: NOW }, { eta: NOW - SECOND }, { countdown: 0 }])('starts it when that time has come: %j', (start) => {
    const draft = scheduled();
    expect(rescheduleJob(draft, start)).toBe(true);
    expect(draft.job).toMatchObject({ status: 'pending', open: set(0), dispatchedAt: NOW });
    expect(draft.opened).toBe(set(0));
  });

  it('lets it wait for the jobs that it needs, when its time has come', () => {
    const draft = scheduled({ needs: ['u'] });
    expect(rescheduleJob(draft, { countdown: 0 })).toBe(true);
    expect(draft.job).toMatchObject({ status: 'waiting', open: 0n });
    expect(draft.opened).toBe(0n);
  });

  it.each(JOB_STATUSES.filter((status) => status !== 'scheduled'))('changes nothing of one that is %s', (status) => {
    const draft = scheduled({ status });
    const before = stateOf(draft);
    expect(rescheduleJob(draft, { eta: LATER + SECOND })).toBe(false);
    expect(stateOf(draft)).toEqual(before);
    expect(draft.rescheduled).toBeNull();
  });
});

describe('tellOfDependency', () => {
  it('releases a waiting job after the last that it needs is completed', () => {
    const draft = heldJob({ needs: ['u', 'v'] });
    expect(tellOfDependency(draft, 'v', 'completed')).toBe(false);
    expect(draft.job.status).toBe('waiting');
    expect(tellOfDependency(draft, 'u', 'completed')).toBe(true);
    expect(draft.job).toMatchObject({ status: 'pending', open: set(0), dispatchedAt: NOW, run: 1 });
  });

  it('leaves one that is scheduled to its time', () => {
    const draft = heldJob({ status: 'scheduled', eta: LATER });
    expect(tellOfDependency(draft, 'u', 'completed')).toBe(false);
    expect(draft.job).toMatchObject({ status: 'scheduled', open: 0n });
    expect(draft.changed).toBe(true);
  });

  it.each(['scheduled', 'waiting'] as const)('fails one that is %s with the first that fails', (status) => {
    for (const [upstream, code] of [
      ['failed', 'dependency_failed'],
      ['cancelled', 'dependency_cancelled'],
    ] as const) {
      const draft = heldJob({ status, eta: LATER, needs: ['u', 'v'] });
      expect(tellOfDependency(draft, 'u', upstream)).toBe(true);
      expect(draft.job).toMatchObject({ status: 'failed', dead: set(0, 1, 2, 3), open: 0n, completedAt: NOW });
      expect(draft.error).toMatchObject({ kind: 'permanent', code, attempt: 0 });
      expect(draft.error?.message).toMatch(/^job u, which it depends on, (failed|was cancelled)$/);
    }
  });

  it('lets one that is to run all the same go on after a failure, for ever', () => {
    const draft = heldJob({ needs: ['u', 'v'], onFailure: 'run' });
    tellOfDependency(draft, 'u', 'failed');
    tellOfDependency(draft, 'u', 'running');
    expect(draft.job.status).toBe('waiting');
    tellOfDependency(draft, 'v', 'cancelled');
    expect(draft.job.status).toBe('pending');
  });

  it('keeps what was completed once', () => {
    const draft = heldJob({ needs: ['u', 'v'] });
    tellOfDependency(draft, 'u', 'completed');
    for (const status of ['pending', 'running', 'failed'] as const) {
      expect(tellOfDependency(draft, 'u', status)).toBe(false);
    }
    expect(draft.hold.dependencies[0]).toMatchObject({ outcome: 'completed', settled: true });
  });

  it('holds one again that has failed only for it, in a new run', () => {
    for (const [eta, status] of [
      [null, 'waiting'],
      [NOW - SECOND, 'waiting'],
      [LATER, 'scheduled'],
    ] as const) {
      const draft = heldJob({ eta });
      tellOfDependency(draft, 'u', 'failed');
      expect(tellOfDependency(draft, 'u', 'pending')).toBe(true);
      expect(draft.job).toMatchObject({ status, run: 2, dead: 0n, open: 0n, completedAt: null, slow: set(0, 1, 2, 3) });
    }
  });

  it('begins one at once whose upstream is completed by the time that it hears of it', () => {
    const draft = heldJob();
    tellOfDependency(draft, 'u', 'failed');
    expect(tellOfDependency(draft, 'u', 'completed')).toBe(true);
    expect(draft.job).toMatchObject({ status: 'pending', run: 2, open: set(0) });
  });

  it('leaves one failed for which another one has failed too', () => {
    const draft = heldJob({ needs: ['u', 'v'] });
    tellOfDependency(draft, 'u', 'failed');
    tellOfDependency(draft, 'v', 'cancelled');
    expect(tellOfDependency(draft, 'u', 'pending')).toBe(false);
    expect(draft.job.status).toBe('failed');
    expect(tellOfDependency(draft, 'v', 'pending')).toBe(true);
    expect(draft.job.status).toBe('waiting');
  });

  it('leaves one alone that was cancelled or has steps of its own that failed', () => {
    const cancelled = heldJob();
    cancelJob(cancelled);
    tellOfDependency(cancelled, 'u', 'completed');
    expect(cancelled.job.status).toBe('cancelled');

    const hold = { dependencies: [dependency('u', { outcome: 'failed' })] };
    const rows = [{ idx: 0, status: 'failed' as const }];
    const failed = draftOf({ pipeline: DIAMOND, job: { status: 'failed', open: 0n, dead: 15n }, rows, hold });
    expect(tellOfDependency(failed, 'u', 'pending')).toBe(false);
    expect(failed.job.status).toBe('failed');
  });

  it('is told nothing of jobs that it does not need', () => {
    const draft = heldJob();
    expect(tellOfDependency(draft, 'x', 'completed')).toBe(false);
    expect(draft.changed).toBe(false);
  });

  const upstreams = ['u', 'v', 'w'] as const;
  const news = fc.record({
    of: fc.constantFrom(...upstreams),
    status: fc.constantFrom<JobStatus>('pending', 'completed', 'failed', 'cancelled'),
  });
  const histories = fc.array(news, { maxLength: 12 });

  it('depends only on how the jobs that it needs stand, in whatever order it hears of them', () => {
    fc.assert(
      fc.property(histories, fc.constantFrom<DependencyFailure>('fail', 'run'), (told, onFailure) => {
        const draft = heldJob({ needs: upstreams, onFailure });
        const completed = new Set<string>();
        const stands = new Map<string, JobStatus>();
        for (const { of, status } of told) {
          if (draft.job.status === 'pending') break;
          tellOfDependency(draft, of, status);
          const isMet = status === 'completed' || (onFailure === 'run' && isEnded(status));
          if (isMet) completed.add(of);
          stands.set(of, status);
          const lost = upstreams.some((id) => !completed.has(id) && isEnded(stands.get(id) ?? 'pending'));
          const expected = lost ? 'failed' : completed.size === upstreams.length ? 'pending' : 'waiting';
          expect(draft.job.status).toBe(expected);
          expect(draft.opened !== 0n).toBe(expected === 'pending');
        }
      }),
    );
  });
});

describe('a retry of a job that has never begun', () => {
  const cancelled = (over: HeldSettings): JobDraft => heldJob({ status: 'cancelled', ...over });

  it.each([
    ['scheduled', { eta: LATER, needs: [] }],
    ['scheduled', { eta: LATER }],
    ['waiting', { eta: NOW - SECOND }],
    ['waiting', {}],
  ] as const)('leaves it %s: %j', (status, over) => {
    const draft = cancelled(over);
    expect(retryJob(draft, null, new Map())).toBe(0n);
    expect(draft.job).toMatchObject({ status, run: 2, open: 0n, dispatchedAt: null });
  });

  it('begins when it has nothing to wait for', () => {
    const draft = cancelled({ eta: NOW, needs: [] });
    expect(retryJob(draft, null, new Map())).toBe(set(0));
    expect(draft.job.status).toBe('pending');
  });

  it('is refused while a job that it needs has failed', () => {
    const draft = cancelled({});
    tellOfDependency(draft, 'u', 'failed');
    expect(retryJob(draft, null, new Map())).toBeNull();
    expect(retryJob(draft, 1, new Map())).toBeNull();
    expect(draft.job).toMatchObject({ status: 'cancelled', run: 1 });
  });

  it('is held from a named step on, too', () => {
    const draft = cancelled({ eta: LATER });
    expect(retryJob(draft, 1, new Map())).toBe(0n);
    expect(draft.job.status).toBe('scheduled');
  });
});
