import * as fc from 'fast-check';
import { OUTCOMES } from '#shared/domain/status';
import { type EndedAttempt, StepUsage } from '#shared/domain/usage/step-usage';

const figure = fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }));
const attempt: fc.Arbitrary<EndedAttempt> = fc.record({
  outcome: fc.constantFrom(...OUTCOMES),
  retried: fc.option(fc.constantFrom('transient', 'timeout')),
  durationMs: figure,
  cpuPercent: figure,
  memoryMb: figure,
});
const attempts = fc.array(attempt, { maxLength: 60 });

function usageOf(ended: readonly EndedAttempt[]): StepUsage {
  const usage = new StepUsage();
  for (const each of ended) usage.observe(each);
  return usage;
}

/** All but the sums, which depend on the order by the last bit. */
const exactPart = (usage: StepUsage): unknown =>
  JSON.parse(JSON.stringify(usage), (key, value: unknown) => (key === 'sum' ? undefined : value));

describe('the usage of a step', () => {
  it('of parts, merged in any order, is that of all attempts', () => {
    fc.assert(
      fc.property(attempts, attempts, (a, b) => {
        const whole = usageOf([...a, ...b]);
        const [forth, back] = [usageOf(a), usageOf(b)];
        forth.merge(usageOf(b));
        back.merge(usageOf(a));
        expect(exactPart(forth)).toEqual(exactPart(whole));
        expect(exactPart(back)).toEqual(exactPart(whole));
      }),
    );
  });

  it('counts attempts, those that did not complete, and retries', () => {
    fc.assert(
      fc.property(attempts, (ended) => {
        const usage = usageOf(ended);
        expect([usage.attempts, usage.failures, usage.retryCount]).toEqual([
          ended.length,
          ended.filter(({ outcome }) => outcome !== 'completed').length,
          ended.filter(({ retried }) => retried !== null).length,
        ]);
      }),
    );
  });

  it('comes back from JSON as it was', () => {
    fc.assert(
      fc.property(attempts, (ended) => {
        const json = JSON.stringify(usageOf(ended));
        expect(JSON.stringify(StepUsage.from(JSON.parse(json) as never))).toBe(json);
      }),
    );
  });

  it('takes CPU and memory as they are stored', () => {
    const usage = usageOf([{ outcome: 'completed', retried: null, durationMs: 0.1, cpuPercent: 0.1, memoryMb: 0.1 }]);
    expect([usage.durationMs.max, usage.cpuPercent.max, usage.memoryMb.max]).toEqual([
      0.1,
      Math.fround(0.1),
      Math.fround(0.1),
    ]);
  });
});
