import fc from 'fast-check';
import { nextRestart, RESTART_POLICY } from './restart-policy';

/** The pauses before each restart of something that dies after the given times. */
function pausesFor(ranForMs: readonly number[]): number[] {
  let inARow = 0;
  return ranForMs.map((ran) => {
    const restart = nextRestart(RESTART_POLICY, inARow, ran);
    inARow = restart.inARow;
    return restart.pauseMs;
  });
}

describe('nextRestart', () => {
  it('restarts at once, then with pauses that double', () => {
    expect(pausesFor([10, 10, 10, 10, 0])).toEqual([0, 500, 1_000, 2_000, 4_000]);
  });

  it('begins anew with what ran steadily', () => {
    expect(pausesFor([10, 10, 60_000, 10])).toEqual([0, 500, 0, 500]);
  });

  it('never pauses longer than the most, and never less than before while nothing runs steadily', () => {
    const short = fc.integer({ min: 0, max: RESTART_POLICY.steadyAfterMs - 1 });
    fc.assert(
      fc.property(fc.array(short, { maxLength: 2_000 }), (lives) => {
        const pauses = pausesFor(lives);
        expect(Math.max(0, ...pauses)).toBeLessThanOrEqual(RESTART_POLICY.maxPauseMs);
        expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
      }),
    );
  });
});
