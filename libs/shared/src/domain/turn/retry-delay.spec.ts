import fc from 'fast-check';
import type { BackOff } from '#shared/domain/pipeline';
import { baseDelayMs, retryDelayMs } from '#shared/domain/turn/retry-delay';

const DAY_MS = 86_400_000;

/** All that a checked pipeline file can say. */
const backOffs: fc.Arbitrary<BackOff> = fc
  .record({
    strategy: fc.constantFrom('fixed' as const, 'linear' as const, 'exponential' as const),
    initial_ms: fc.oneof(fc.constant(0), fc.nat(DAY_MS)),
    factor: fc.oneof(fc.constantFrom(1, 2, 100), fc.double({ min: 1, max: 100, noNaN: true })),
    max_ms: fc.nat(365 * DAY_MS),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map((backOff) => ({ ...backOff, max_ms: Math.max(backOff.max_ms, backOff.initial_ms) }));
const retries = fc.integer({ min: 1, max: 1_000 });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const backOff = (over: Partial<BackOff>): BackOff => ({
  ...{ strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 },
  ...over,
});

const delays = (of: BackOff, count: number): number[] =>
  Array.from({ length: count }, (_, index) => baseDelayMs(of, index + 1));

describe('baseDelayMs', () => {
  it('of each strategy', () => {
    expect(delays(backOff({ strategy: 'fixed' }), 3)).toEqual([1_000, 1_000, 1_000]);
    expect(delays(backOff({ strategy: 'linear' }), 4)).toEqual([1_000, 2_000, 3_000, 4_000]);
    expect(delays(backOff({ strategy: 'exponential', factor: 3 }), 4)).toEqual([1_000, 3_000, 9_000, 27_000]);
  });

  it('never falls from one retry to the next, and never exceeds the longest', () => {
    fc.assert(
      fc.property(backOffs, retries, (of, retry) => {
        const [delay, next] = [baseDelayMs(of, retry), baseDelayMs(of, retry + 1)];
        expect(delay).toBeGreaterThanOrEqual(Math.min(of.initial_ms, of.max_ms));
        expect(next).toBeGreaterThanOrEqual(delay);
        expect(next).toBeLessThanOrEqual(of.max_ms);
      }),
    );
  });

  it('stays 0 where it begins with 0, however often', () => {
    expect(baseDelayMs(backOff({ strategy: 'exponential', initial_ms: 0, factor: 100 }), 1_000)).toBe(0);
  });
});

describe('retryDelayMs', () => {
  it('is whole milliseconds within the jitter on both sides', () => {
    fc.assert(
      fc.property(backOffs, retries, randoms, (of, retry, random) => {
        const base = baseDelayMs(of, retry);
        const delay = retryDelayMs(of, retry, random);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(Math.max(0, Math.floor(base * (1 - of.jitter))));
        expect(delay).toBeLessThanOrEqual(Math.ceil(base * (1 + of.jitter)));
      }),
    );
  });

  it('reaches both ends of the jitter, and its middle is the delay itself', () => {
    const of = backOff({ jitter: 0.2 });
    expect(retryDelayMs(of, 1, 0)).toBe(800);
    expect(retryDelayMs(of, 1, 0.5)).toBe(1_000);
    expect(retryDelayMs(of, 1, 1)).toBe(1_200);
  });

  it('is never less than the error asked for, whatever the policy says', () => {
    fc.assert(
      fc.property(backOffs, retries, randoms, fc.nat(DAY_MS), (of, retry, random, leastMs) => {
        const delay = retryDelayMs(of, retry, random, leastMs);
        expect(delay).toBe(Math.max(leastMs, retryDelayMs(of, retry, random)));
      }),
    );
  });
});
