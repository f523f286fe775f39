import fc from 'fast-check';
import type { StepError } from '#shared/domain/turn/job-draft';
import { stepNamed } from '../../../../test/support/drafts';
import { decideRetry, mayRest, MOST_RESTING, type RestLimits } from './retry-policy';

const error = (kind: StepError['kind']): StepError => ({ message: 'no luck', kind, code: null });
const step = (maxRetries: number, initialMs = 1_000) =>
  stepNamed('a', {
    max_retries: maxRetries,
    back_off: { strategy: 'linear', initial_ms: initialMs, factor: 2, max_ms: 3_600_000, jitter: 0.5 },
  });
const MIDDLE = (): number => 0.5;
const LONGEST_MS = 15_000;
const NONE_OUT: RestLimits = { resting: 0, workersAlive: 1, longestMs: LONGEST_MS };

describe('decideRetry', () => {
  it('tries again as often as the step may, and no more', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_001), (maxRetries, retryCount) => {
        const decision = decideRetry(step(maxRetries), error('transient'), retryCount, 0, NONE_OUT);
        expect(decision.kind).toBe(retryCount < maxRetries ? 'retry' : 'final');
      }),
    );
  });

  it.each(['transient', 'timeout', 'crashed', 'cancelled'] as const)('tries again after what may pass: %s', (kind) => {
    expect(decideRetry(step(1), error(kind), 0, 0, NONE_OUT, MIDDLE)).toEqual({
      ...{ kind: 'retry', delayMs: 1_000, viaScheduler: false },
    });
  });

  it('never tries again what is permanent', () => {
    expect(decideRetry(step(9), error('permanent'), 0, 0, NONE_OUT)).toEqual({ kind: 'final' });
  });

  it('waits as the policy says for the retry that comes: the first after none', () => {
    const delays = [0, 1, 2].map((retryCount) =>
      decideRetry(step(9), error('transient'), retryCount, 0, NONE_OUT, MIDDLE),
    );
    expect(delays.map((delay) => delay.kind === 'retry' && delay.delayMs)).toEqual([1_000, 2_000, 3_000]);
  });

  it('spreads the delay, and honours the least delay above all', () => {
    expect(decideRetry(step(9), error('transient'), 0, 0, NONE_OUT, () => 0)).toMatchObject({ delayMs: 500 });
    expect(decideRetry(step(9), error('transient'), 0, 0, NONE_OUT, () => 1)).toMatchObject({ delayMs: 1_500 });
    expect(decideRetry(step(9), error('transient'), 0, 7_000, NONE_OUT, () => 1)).toMatchObject({ delayMs: 7_000 });
  });

  it('leaves to the scheduler what the worker may not wait out: long delays, and any while very many rest', () => {
    const via = (delayMs: number, resting: number, workersAlive = 1): unknown => {
      const limits = { resting, workersAlive, longestMs: LONGEST_MS };
      const decision = decideRetry(step(9, delayMs), error('transient'), 0, 0, limits, MIDDLE);
      return decision.kind === 'retry' && decision.viaScheduler;
    };
    expect([via(LONGEST_MS, 0), via(LONGEST_MS + 1, 0)]).toEqual([false, true]);
    expect([via(10, MOST_RESTING - 1), via(10, MOST_RESTING)]).toEqual([false, true]);
    expect([via(10, MOST_RESTING / 5 - 1, 5), via(10, MOST_RESTING / 5, 5)]).toEqual([false, true]);
  });

  it('never lets a fleet keep more messages than the consumer has room for beside fresh work', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60_000 }), (workersAlive) => {
        let resting = 0;
        while (mayRest(1, { resting, workersAlive, longestMs: LONGEST_MS })) resting += 1;
        expect(resting * Math.max(1, workersAlive)).toBeLessThanOrEqual(MOST_RESTING);
      }),
    );
  });
});
