import { createColors } from 'picocolors';
import { sampleJob } from '../../../../test/integration/cli/sample-job';
import { describeUpdate } from './update-words';

const NOW = Date.parse('2030-01-31T12:00:00Z');
const PLAIN = createColors(false);
const lines = (job: ReturnType<typeof sampleJob>): string[] =>
  describeUpdate({ type: 'snapshot', job }, PLAIN, NOW)
    .split('\n')
    .map((line) => line.trim().replace(/^\d\d:\d\d:\d\d /, ''));

describe('a job as it is now', () => {
  it('is told with each step that runs, waits for a retry or has failed, and why', () => {
    const [first, second] = sampleJob().steps;
    if (!first || !second) throw new Error('the sample has two steps');
    const error = { code: null, at: '2030-01-31T11:59:00.000Z', attempt: 1 };
    const steps = [
      { ...first, name: 'a', status: 'running' as const, progress: 40, attempt: 2 },
      { ...second, name: 'b', status: 'retrying' as const, attempt: 1, retry_count: 1, max_retries: 3 },
      { ...second, name: 'c', status: 'pending' as const, last_error: null },
    ];
    Object.assign(steps[0] ?? {}, { last_error: { ...error, kind: 'crashed', message: 'the worker w died' } });
    Object.assign(steps[1] ?? {}, {
      next_retry_at: '2030-01-31T12:00:15Z',
      last_error: { ...error, kind: 'transient', message: 'busy' },
    });
    expect(lines(sampleJob({ status: 'running', steps })).slice(1)).toEqual([
      'a  running  40 %  attempt 2  crashed: the worker w died',
      'b  retrying  retry 1/3 in 15.0s  transient: busy',
    ]);
  });

  it('that has ended is one line: its table follows', () => {
    expect(lines(sampleJob({ status: 'failed' }))).toHaveLength(1);
  });
});
