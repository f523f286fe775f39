import fc from 'fast-check';
import { LONGEST_NAK_MS } from '#shared/domain/turn/claim';
import type { StepError } from '#shared/domain/turn/job-draft';
import { stepNamed } from '../../../../test/support/drafts';
import { decideRetry, hasMostNaks, MOST_NAKS, type NaksOut } from './retry-policy';

const error = (kind: StepError['kind']): StepError => ({ message: 'no luck', kind, code: null });
const step = (maxRetries: number, initialMs = 1_000) =>
  stepNamed('a', {
    max_retries: maxRetries,
    back_off: { strategy: 'linear', initial_ms: initialMs, factor: 2, max_ms: 3_600_000, jitter: 0.5 },
  });
const MIDDLE = (): number => 0.5;
const NONE_OUT: NaksOut = { pending: 0, workersAlive: 1 };

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

  it('leaves what would pin the consumer to the scheduler: long delays, and any while very many are out', () => {
    const via = (delayMs: number, pending: number, workersAlive = 1): unknown => {
      const decision = decideRetry(step(9, delayMs), error('transient'), 0, 0, { pending, workersAlive }, MIDDLE);
      return decision.kind === 'retry' && decision.viaScheduler;
    };
    expect([via(LONGEST_NAK_MS, 0), via(LONGEST_NAK_MS + 1, 0)]).toEqual([false, true]);
    expect([via(10, MOST_NAKS - 1), via(10, MOST_NAKS)]).toEqual([false, true]);
    expect([via(10, MOST_NAKS / 5 - 1, 5), via(10, MOST_NAKS / 5, 5)]).toEqual([false, true]);
  });

  it('never lets a fleet have more naks out than the consumer has room for beside fresh work', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60_000 }), (workersAlive) => {
        let pending = 0;
        while (!hasMostNaks({ pending, workersAlive })) pending += 1;
        expect(pending * Math.max(1, workersAlive)).toBeLessThanOrEqual(MOST_NAKS);
      }),
    );
  });
});
