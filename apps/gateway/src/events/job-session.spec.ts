import type { JobView, StepView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import type { JobStatus } from '#shared/domain/status';
import { JobSession, type SessionAction } from './job-session';

const JOB = '01890000-0000-7000-8000-000000000001';
const AT = '2026-01-01T00:00:00.000Z';

const viewAt = (version: number, status: JobStatus = 'running', steps: readonly Partial<StepView>[] = []): JobView =>
  ({ id: JOB, version, status, steps }) as JobView;

const batchOf = (version: number, ...events: Partial<LiveEvent>[]): LiveEventBatch => ({
  job_id: JOB,
  version,
  events: events.map((event) => ({ event: 'step.completed', at: AT, ...event })),
});

const change = (version: number): LiveEventBatch => batchOf(version, { event: 'step.started', step: 's' });
const progress = (version: number, fields: Partial<LiveEvent>): LiveEventBatch =>
  batchOf(version, { event: 'step.progress', step: 's', ...fields });

/** The actions in short: `snapshot`, `event SEQ vVERSION`, `read`, `hold`, `ended`. */
const inShort = (actions: readonly SessionAction[]): string[] =>
  actions.map((action) => {
    if (action.kind === 'send_event') return `event ${action.message.seq} v${action.message.version}`;
    return action.kind === 'send_snapshot' ? 'snapshot' : action.kind;
  });

/** A session whose client has been sent the job at a version. */
function sessionAt(version: number): JobSession {
  const session = new JobSession(JOB);
  session.readBegins();
  session.onSnapshot(viewAt(version));
  return session;
}

describe('JobSession', () => {
  it('begins with the snapshot and then delivers only what came after it', () => {
    const session = new JobSession(JOB);
    session.readBegins();
    expect(session.onBatch(change(3))).toEqual([]);
    expect(session.onBatch(change(4))).toEqual([]);
    expect(session.onBatch(change(5))).toEqual([]);
    expect(inShort(session.onSnapshot(viewAt(4)))).toEqual(['snapshot', 'event 1 v5']);
    expect(inShort(session.onBatch(change(6)))).toEqual(['event 2 v6']);
  });

  it('gives each event of a batch a seq and what it carries', () => {
    const session = sessionAt(1);
    const actions = session.onBatch(
      batchOf(2, { event: 'step.completed', step: 'a', attempt: 2, progress: 100 }, { event: 'step.started' }),
    );
    expect(inShort(actions)).toEqual(['event 1 v2', 'event 2 v2']);
    expect(actions[0]).toEqual({
      kind: 'send_event',
      message: {
        type: 'event',
        event: 'step.completed',
        job_id: JOB,
        seq: 1,
        version: 2,
        at: AT,
        step: 'a',
        attempt: 2,
        progress: 100,
      },
    });
  });

  it('is followed by a snapshot when the job was retried: steps went back without an event each', () => {
    const session = sessionAt(1);
    const actions = session.onBatch(batchOf(2, { event: 'job.retried' }, { event: 'step.queued', step: 'a' }));
    expect(inShort(actions)).toEqual(['event 1 v2', 'event 2 v2', 'read']);
    session.readBegins();
    expect(inShort(session.onSnapshot(viewAt(2)))).toEqual(['snapshot']);
    expect(inShort(session.onBatch(change(3)))).toEqual(['event 3 v3']);
  });

  it('drops what comes twice', () => {
    const session = sessionAt(1);
    session.onBatch(change(2));
    expect(session.onBatch(change(2))).toEqual([]);
    expect(session.onBatch(change(1))).toEqual([]);
  });

  it('holds an early batch, and delivers in order when the one before it comes', () => {
    const session = sessionAt(1);
    expect(inShort(session.onBatch(change(3)))).toEqual(['hold']);
    expect(inShort(session.onBatch(change(2)))).toEqual(['event 1 v2', 'event 2 v3']);
    expect(session.holdOver()).toEqual([]);
  });

  it('reads anew when the one before does not come', () => {
    const session = sessionAt(1);
    session.onBatch(change(3));
    expect(inShort(session.holdOver())).toEqual(['read']);
    session.readBegins();
    expect(inShort(session.onSnapshot(viewAt(3)))).toEqual(['snapshot']);
    expect(inShort(session.onBatch(change(4)))).toEqual(['event 1 v4']);
  });

  it('gives a gap that opened during the hold of another a hold of its own', () => {
    const session = sessionAt(1);
    session.onBatch(change(3));
    session.onBatch(change(2));
    expect(session.onBatch(change(5))).toEqual([]);
    expect(inShort(session.holdOver())).toEqual(['hold']);
    expect(inShort(session.holdOver())).toEqual(['read']);
  });

  it('ends after the event that ends the job, and after the snapshot of an ended job', () => {
    for (const event of ['job.completed', 'job.failed', 'job.cancelled'] as const) {
      expect(inShort(sessionAt(1).onBatch(batchOf(2, {}, { event })))).toEqual(['event 1 v2', 'event 2 v2', 'ended']);
    }
    const session = new JobSession(JOB);
    session.readBegins();
    expect(inShort(session.onSnapshot(viewAt(9, 'failed')))).toEqual(['snapshot', 'ended']);
  });

  it('waits for an event that is on its way before it believes that it was missed', () => {
    const session = sessionAt(1);
    expect(session.onStoredVersion(1)).toEqual([]);
    expect(inShort(session.onStoredVersion(2))).toEqual(['hold']);
    session.onBatch(change(2));
    expect(session.holdOver()).toEqual([]);
    session.onStoredVersion(3);
    expect(inShort(session.holdOver())).toEqual(['read']);
  });

  it('reads a job anew that the store does not know any more', () => {
    expect(inShort(sessionAt(1).onStoredVersion(null))).toEqual(['read']);
  });

  it('reads once more when something may have been missed while a read was under way', () => {
    const session = sessionAt(1);
    expect(inShort(session.renew())).toEqual(['read']);
    expect(session.renew()).toEqual([]);
    session.readBegins();
    expect(session.renew()).toEqual([]);
    expect(inShort(session.onSnapshot(viewAt(1)))).toEqual(['snapshot', 'read']);
    session.readBegins();
    expect(inShort(session.onSnapshot(viewAt(1)))).toEqual(['snapshot']);
  });

  it('does not read for ever because of a version that the store never had', () => {
    const session = sessionAt(1);
    session.onBatch(change(1_000_000));
    expect(inShort(session.holdOver())).toEqual(['read']);
    session.readBegins();
    expect(inShort(session.onSnapshot(viewAt(1)))).toEqual(['snapshot']);
    expect(inShort(session.onBatch(change(2)))).toEqual(['event 1 v2']);
  });

  it('keeps a bounded number of batches while it waits', () => {
    const session = sessionAt(1);
    for (let version = 3; version < 1_003; version += 1) session.onBatch(change(version));
    const delivered = session.onBatch(change(2)).filter((action) => action.kind === 'send_event');
    expect(delivered.length).toBeLessThan(20);
    expect(inShort(session.holdOver())).toEqual(['hold']);
    expect(inShort(session.holdOver())).toEqual(['read']);
  });

  describe('progress', () => {
    it('is delivered at once and is no gap', () => {
      const session = sessionAt(4);
      expect(inShort(session.onBatch(progress(0, { progress: 10 })))).toEqual(['event 1 v4']);
      expect(inShort(session.onBatch(progress(4, { progress: 20 })))).toEqual(['event 2 v4']);
    });

    it('of a sender that knows more than the client shows that something is missing', () => {
      const session = sessionAt(4);
      expect(inShort(session.onBatch(progress(6, { progress: 10 })))).toEqual(['event 1 v4', 'hold']);
      expect(inShort(session.holdOver())).toEqual(['read']);
    });

    it('of an attempt that is over is dropped', () => {
      const session = sessionAt(1);
      session.onBatch(batchOf(2, { event: 'step.retrying', step: 's', attempt: 1 }));
      expect(session.onBatch(progress(0, { attempt: 1, progress: 90 }))).toEqual([]);
      expect(inShort(session.onBatch(progress(0, { attempt: 2, progress: 5 })))).toEqual(['event 2 v2']);
    });

    it('that came before the snapshot follows it when the snapshot is not ahead of it', () => {
      const deliveredAfter = (step: Partial<StepView>): string[] => {
        const session = new JobSession(JOB);
        session.readBegins();
        session.onBatch(progress(0, { attempt: 1, progress: 40 }));
        session.onBatch(progress(0, { attempt: 1, progress: 50 }));
        return inShort(session.onSnapshot(viewAt(2, 'running', [{ name: 's', progress: 0, ...step }])));
      };
      expect(deliveredAfter({ status: 'pending', attempt: 0 })).toEqual(['snapshot', 'event 1 v2']);
      expect(deliveredAfter({ status: 'running', attempt: 1, progress: 30 })).toEqual(['snapshot', 'event 1 v2']);
      expect(deliveredAfter({ status: 'running', attempt: 1, progress: 50 })).toEqual(['snapshot']);
      expect(deliveredAfter({ status: 'completed', attempt: 1 })).toEqual(['snapshot']);
      expect(deliveredAfter({ status: 'running', attempt: 2 })).toEqual(['snapshot']);
    });
  });
});
