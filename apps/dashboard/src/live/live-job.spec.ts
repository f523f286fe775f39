import type { LastErrorView } from '#shared/contracts/job';
import { after, exampleJob as job, exampleStep as step } from '../screens/job/job-examples';
import { afterEvent, type EventMessage } from './live-job';

const event = (name: EventMessage['event'], more: Partial<EventMessage> = {}): EventMessage => ({
  ...{ type: 'event', event: name, job_id: 'j', version: 6, at: after(10) },
  ...more,
});

const error = (at: number, attempt = 1): LastErrorView => ({
  ...{ message: `broken at ${at}`, kind: 'transient', code: null, at: after(at), attempt },
});

const running = step('a', {
  status: 'running',
  attempt: 1,
  progress: 40,
  message: 'half',
  started_at: after(2),
  worker: 'w',
});

describe('an event that is not news', () => {
  it.each([
    ['of another job', event('job.failed', { job_id: 'k', job_status: 'failed' })],
    ['of an older version', event('job.failed', { version: 4, job_status: 'failed' })],
    ['progress of an attempt before', event('step.progress', { step: 'a', attempt: 0, progress: 90 })],
    ['progress of a step that there is none of', event('step.progress', { step: 'z', progress: 90 })],
  ])('leaves the job as it is: %s', (_, told) => {
    const known = job([running]);
    expect(afterEvent(known, told)).toBe(known);
  });

  it.each(['completed', 'failed', 'cancelled', 'skipped'] as const)('is progress of a step that is %s', (status) => {
    const known = job([{ ...running, status }]);
    expect(afterEvent(known, event('step.progress', { step: 'a', attempt: 1, progress: 90 }))).toBe(known);
  });

  it('is progress of the attempt before the back-off', () => {
    const known = job([{ ...running, status: 'retrying' }]);
    expect(afterEvent(known, event('step.progress', { step: 'a', attempt: 1, progress: 90 }))).toBe(known);
  });
});

describe('progress', () => {
  it('is of the step, and of the job as the server counts it', () => {
    const known = job([running, step('b'), step('c')]);
    const told = event('step.progress', { step: 'a', attempt: 1, version: 0, progress: 50, message: 'on' });
    expect(afterEvent(known, told)).toMatchObject({
      progress: 16.6,
      version: 5,
      steps: [{ progress: 50, message: 'on' }, {}, {}],
    });
  });

  it('never falls, and takes its message with it', () => {
    const known = job([running], { progress: 40 });
    const told = event('step.progress', { step: 'a', attempt: 1, progress: 10 });
    expect(afterEvent(known, told)).toMatchObject({ progress: 40, steps: [{ progress: 40, message: null }] });
  });

  it('shows that a step runs whose start was not told', () => {
    const known = job([step('a', { status: 'queued' })]);
    const told = event('step.progress', { step: 'a', attempt: 1, progress: 10 });
    expect(afterEvent(known, told)).toMatchObject({ current_steps: ['a'], steps: [{ status: 'running', attempt: 1 }] });
  });
});

describe('an attempt', () => {
  it('that begins keeps the progress, and drops what was of the one before', () => {
    const known = job([{ ...running, status: 'retrying', retry_count: 1, next_retry_at: after(9), duration_ms: 5 }]);
    const told = event('step.started', { step: 'a', status: 'running', attempt: 2, retry_count: 1 });
    expect(afterEvent(known, told)).toMatchObject({
      retry_count: 1,
      current_steps: ['a'],
      steps: [
        {
          ...{ status: 'running', attempt: 2, progress: 40, message: null, started_at: after(10), duration_ms: null },
          ...{ next_retry_at: null, worker: null },
        },
      ],
    });
  });

  it('that fails is followed by a back-off', () => {
    const told = event('step.retrying', {
      ...{ step: 'a', status: 'retrying', attempt: 1, retry_count: 1, last_error: error(10), cpu_percent: 5 },
      ...{ next_retry_at: after(12), next_delay_ms: 2_000 },
    });
    expect(afterEvent(job([running]), told)).toMatchObject({
      retry_count: 1,
      current_steps: ['a'],
      last_error: error(10),
      steps: [{ status: 'retrying', next_retry_at: after(12), duration_ms: 8_000, cpu_percent: 5, completed_at: null }],
    });
  });

  it('that completes the step says how long it took; an earlier error stays', () => {
    const told = event('step.completed', { step: 'a', status: 'completed', attempt: 1, progress: 100 });
    const known = job([{ ...running, last_error: error(3) }, step('b')], { last_error: error(3) });
    expect(afterEvent(known, told)).toMatchObject({
      progress: 50,
      current_steps: [],
      last_error: error(3),
      steps: [{ status: 'completed', completed_at: after(10), duration_ms: 8_000, last_error: error(3) }, {}],
    });
  });

  it('that was handed back does not count', () => {
    const told = event('step.queued', { step: 'a', status: 'queued' });
    expect(afterEvent(job([{ ...running, attempt: 3 }]), told)).toMatchObject({
      current_steps: [],
      steps: [{ status: 'queued', attempt: 2, progress: 40, worker: null }],
    });
  });

  it('waits for a worker after its back-off without losing its retries', () => {
    const known = job([{ ...running, status: 'retrying', retry_count: 2, next_retry_at: after(9) }]);
    expect(afterEvent(known, event('step.queued', { step: 'a', status: 'queued' }))).toMatchObject({
      retry_count: 2,
      steps: [{ status: 'queued', retry_count: 2, next_retry_at: null, attempt: 1 }],
    });
  });

  it('of which only the crash is known tells that error with the next one', () => {
    const told = event('step.started', { step: 'a', status: 'running', attempt: 2, last_error: error(9) });
    expect(afterEvent(job([running]), told).last_error).toEqual(error(9));
  });
});

describe('the last error of a job', () => {
  it('is the newest, whichever step tells of its own', () => {
    const known = job([running], { last_error: error(9) });
    const told = event('step.cancelled', { step: 'a', status: 'cancelled', last_error: error(3) });
    expect(afterEvent(known, told)).toMatchObject({ last_error: error(9), steps: [{ last_error: error(3) }] });
  });

  it('may be of no step', () => {
    const told = event('job.failed', { job_status: 'failed', last_error: error(10, 0) });
    expect(afterEvent(job([step('a')], { started_at: null }), told)).toMatchObject({
      ...{ status: 'failed', last_error: error(10, 0), completed_at: after(10), duration_ms: null },
    });
  });
});

describe('a job', () => {
  it('begins, ends, and says how long it took', () => {
    const queued = job([step('a')], { status: 'pending', started_at: null });
    const begun = afterEvent(queued, event('job.started', { job_status: 'running' }));
    expect(begun).toMatchObject({ status: 'running', started_at: after(10), completed_at: null });
    const told = event('job.completed', { job_status: 'completed', progress: 100, at: after(15) });
    expect(afterEvent(begun, told)).toMatchObject({
      ...{ status: 'completed', progress: 100, completed_at: after(15), duration_ms: 5_000 },
    });
  });

  it('that is retried has not begun, nor ended; its failed steps are new', () => {
    const failed = job(
      [step('a', { status: 'completed', progress: 100 }), { ...running, name: 'b', status: 'failed', retry_count: 3 }],
      {
        ...{
          status: 'failed',
          progress: 70,
          completed_at: after(5),
          duration_ms: 4_000,
          last_error: error(5),
          result: {},
        },
      },
    );
    const retried = afterEvent(failed, event('job.retried', { job_status: 'pending' }));
    expect(retried).toMatchObject({
      ...{
        status: 'pending',
        started_at: null,
        completed_at: null,
        duration_ms: null,
        last_error: error(5),
        result: null,
      },
    });
    expect(afterEvent(retried, event('step.queued', { step: 'b', status: 'queued' }))).toMatchObject({
      ...{ progress: 50, retry_count: 0 },
      steps: [{ status: 'completed' }, { status: 'queued', retry_count: 0, progress: 0, attempt: 1, started_at: null }],
    });
  });

  it('that is given another time, or let go, says so', () => {
    const held = job([step('a')], { status: 'scheduled', queued_at: null, started_at: null });
    const later = afterEvent(held, event('job.scheduled', { job_status: 'scheduled', eta: after(90) }));
    expect(later).toMatchObject({ status: 'scheduled', eta: after(90), version: 6 });
    expect(afterEvent(later, event('job.pending', { job_status: 'pending', version: 7 }))).toMatchObject({
      ...{ status: 'pending', eta: after(90), queued_at: after(10), version: 7 },
    });
  });
});
