import fc from 'fast-check';
import type { AttemptView, JobView } from '#shared/contracts/job';
import { after, exampleAttempt as attempt, exampleJob as job, exampleStep as step, START_MS } from './job-examples';
import { barsOf, rangeOf } from './waterfall-bars';

/** The bars of a step in seconds since the start. */
function told(shown: JobView, attempts: AttemptView[], name: string, now = 100): string[] {
  const rows = barsOf(shown, attempts, START_MS + now * 1_000);
  const bars = rows.find((row) => row.step.name === name)?.bars ?? [];
  const seconds = (ms: number): number => (ms - START_MS) / 1_000;
  return bars.map(({ kind, from, to, isOpen }) => `${kind} ${seconds(from)}-${seconds(to)}${isOpen ? ' …' : ''}`);
}

const failed = { outcome: 'failed', next_delay_ms: 2_000 } as const;

describe('the bars of a step', () => {
  it('show how long it waited for a worker, since the job was queued or the last needed step had ended', () => {
    const shown = job([
      step('a', { status: 'completed', attempt: 1 }),
      step('b', { status: 'completed', attempt: 1 }),
      step('c', { status: 'running', attempt: 1, needs: ['a', 'b'] }),
    ]);
    const attempts = [attempt('a', 1, 1, 3), attempt('b', 1, 1, 5), attempt('c', 1, 7, null)];
    expect(told(shown, attempts, 'a')).toEqual(['waiting 0-1', 'running 1-3']);
    expect(told(shown, attempts, 'c', 10)).toEqual(['waiting 5-7', 'running 7-10 …']);
  });

  it('tell back-off and waiting apart after a failure', () => {
    const shown = job([step('a', { status: 'completed', attempt: 2 })], { queued_at: null });
    const attempts = [attempt('a', 1, 1, 3, failed), attempt('a', 2, 6, 9)];
    expect(told(shown, attempts, 'a')).toEqual(['running 1-3', 'back_off 3-5', 'waiting 5-6', 'running 6-9']);
  });

  it('let a back-off grow until it is over, and waiting after it', () => {
    const retrying = step('a', { status: 'retrying', attempt: 1, next_retry_at: after(5) });
    const shown = job([retrying], { queued_at: null });
    const attempts = [attempt('a', 1, 1, 3, failed)];
    expect(told(shown, attempts, 'a', 4)).toEqual(['running 1-3', 'back_off 3-4 …']);
    expect(told(shown, attempts, 'a', 8)).toEqual(['running 1-3', 'back_off 3-5', 'waiting 5-8 …']);
  });

  it('show no back-off after a crash: it was tried again at once', () => {
    const shown = job([step('a', { status: 'completed', attempt: 2 })], { queued_at: null });
    const attempts = [attempt('a', 1, 1, 3, { outcome: 'crashed' }), attempt('a', 2, 6, 9)];
    expect(told(shown, attempts, 'a')).toEqual(['running 1-3', 'waiting 3-6', 'running 6-9']);
  });

  it('leave the time empty between a failure for good and a retry by hand', () => {
    const shown = job([step('a', { status: 'completed', attempt: 2 })]);
    const attempts = [attempt('a', 1, 1, 3, { outcome: 'failed' }), attempt('a', 2, 60, 61)];
    expect(told(shown, attempts, 'a')).toEqual(['waiting 0-1', 'running 1-3', 'running 60-61']);
  });

  it('wait anew for needed steps that ran again', () => {
    const shown = job([
      step('a', { status: 'completed', attempt: 2 }),
      step('b', { status: 'queued', attempt: 1, needs: ['a'] }),
    ]);
    const attempts = [attempt('a', 1, 1, 3), attempt('b', 1, 3, 5), attempt('a', 2, 60, 62)];
    expect(told(shown, attempts, 'b', 65)).toEqual(['running 3-5', 'waiting 62-65 …']);
  });

  it('know of an attempt that was begun or ended after the attempts were read', () => {
    const begun = job([step('a', { status: 'running', attempt: 1, started_at: after(1) })]);
    expect(told(begun, [], 'a', 4)).toEqual(['waiting 0-1', 'running 1-4 …']);
    const ended = job([step('a', { status: 'completed', attempt: 1, started_at: after(1), completed_at: after(6) })]);
    expect(told(ended, [attempt('a', 1, 1, null)], 'a')).toEqual(['waiting 0-1', 'running 1-6']);
  });

  it('are none of a step that has not been reached, nor of a job that is held', () => {
    const shown = job([step('a', { status: 'running', attempt: 1 }), step('b', { needs: ['a'] })]);
    expect(told(shown, [attempt('a', 1, 1, null)], 'b')).toEqual([]);
    expect(rangeOf(barsOf(job([step('a')], { status: 'scheduled', queued_at: null }), [], START_MS))).toBeNull();
  });

  it('never overlap, and never end before they begin', () => {
    const histories = fc.array(
      fc.record({
        pause: fc.integer({ min: 0, max: 20 }),
        long: fc.integer({ min: 0, max: 20 }),
        outcome: fc.constantFrom('completed', 'failed', 'timeout', 'crashed', 'cancelled'),
        delay: fc.option(fc.integer({ min: 0, max: 20_000 })),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(histories, fc.constantFrom('queued', 'completed', 'failed'), (history, status) => {
        let at = 1;
        const attempts = history.map(({ pause, long, outcome, delay }, index) => {
          const from = at + pause;
          at = from + long;
          return attempt('a', index + 1, from, at, { outcome, next_delay_ms: delay });
        });
        const shown = job([step('a', { status, attempt: attempts.length })]);
        const bars = barsOf(shown, attempts, START_MS + 1_000_000).flatMap((row) => row.bars);
        bars.forEach((bar, index) => {
          expect(bar.to).toBeGreaterThanOrEqual(bar.from);
          expect(bar.from).toBeGreaterThanOrEqual(bars[index - 1]?.to ?? -Infinity);
        });
        expect(bars.filter(({ kind }) => kind === 'running')).toHaveLength(attempts.length);
      }),
    );
  });
});
