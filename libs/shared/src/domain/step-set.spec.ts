import fc from 'fast-check';
import { allSteps, hasStep, isSubset, MAX_STEPS, NO_STEPS, stepBit, stepSetOf, stepsIn } from '#shared/domain/step-set';

const indices = fc.uniqueArray(fc.nat(MAX_STEPS - 1)).map((found) => found.sort((a, b) => a - b));

describe('step sets', () => {
  it('give back the indices that they were made of, rising', () => {
    fc.assert(fc.property(indices, (all) => expect(stepsIn(stepSetOf(all))).toEqual(all)));
  });

  it('hold their members and nothing else', () => {
    fc.assert(
      fc.property(indices, fc.nat(MAX_STEPS - 1), (all, index) => {
        expect(hasStep(stepSetOf(all), index)).toBe(all.includes(index));
      }),
    );
  });

  it('are parts of others when all their members are', () => {
    fc.assert(
      fc.property(indices, indices, (part, whole) => {
        expect(isSubset(stepSetOf(part), stepSetOf(whole))).toBe(part.every((index) => whole.includes(index)));
      }),
    );
  });

  it('of a whole pipeline have every index below its count, up to the last bit that a bigint column keeps', () => {
    expect(allSteps(0)).toBe(NO_STEPS);
    expect(stepsIn(allSteps(3))).toEqual([0, 1, 2]);
    expect(stepsIn(allSteps(MAX_STEPS))).toHaveLength(63);
    expect(allSteps(MAX_STEPS)).toBe(2n ** 63n - 1n);
    expect(stepBit(MAX_STEPS - 1)).toBe(2n ** 62n);
  });
});
