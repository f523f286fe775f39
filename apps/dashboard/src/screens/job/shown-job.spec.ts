import { exampleJob as job, exampleStep as step } from './job-examples';
import { shownJob } from './shown-job';

const running = step('a', { status: 'running', attempt: 1, progress: 20 });

describe('what is shown of a job', () => {
  it('is what there is', () => {
    expect(shownJob(undefined, null)).toBeUndefined();
    expect(shownJob(job([]), null)).toEqual(job([]));
    expect(shownJob(undefined, job([]))).toEqual(job([]));
  });

  it('is the read where that is newer', () => {
    const read = job([running], { version: 7 });
    expect(shownJob(read, job([{ ...running, progress: 90 }], { version: 6 }))).toBe(read);
  });

  it('is the read at the same version, with the progress that came since', () => {
    const read = job([{ ...running, worker: 'w1', message: 'old' }], { progress: 10 });
    const live = job([{ ...running, progress: 60, message: 'new' }], { progress: 30 });
    expect(shownJob(read, live)).toMatchObject({
      progress: 30,
      steps: [{ progress: 60, message: 'new', worker: 'w1' }],
    });
  });

  it('keeps the read progress where the socket was cut off', () => {
    const read = job([{ ...running, progress: 80, message: 'read' }], { progress: 40 });
    expect(shownJob(read, job([running], { progress: 10 }))).toMatchObject({
      progress: 40,
      steps: [{ message: 'read' }],
    });
  });

  it('is the socket where that is ahead, with the figures of steps that have not moved on', () => {
    const done = step('b', { status: 'completed', attempt: 1, progress: 100 });
    const read = job([running, { ...done, output: { x: 1 }, worker: 'w2' }]);
    const live = job([{ ...running, status: 'failed' }, done], { version: 6, status: 'failed' });
    expect(shownJob(read, live)).toMatchObject({
      status: 'failed',
      version: 6,
      steps: [{ status: 'failed' }, { output: { x: 1 }, worker: 'w2' }],
    });
  });
});
