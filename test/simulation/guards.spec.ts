import '../support/simulation/doubles';
import fc from 'fast-check';
import { type Control, CONTROLS } from '../support/simulation/controls';
import { guards } from '../support/simulation/guards';
import { scenarios } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/*
 * The negative controls of protocol.spec.ts: for each guard of the turn protocol, a guard taken away is seen within a fixed
 * number of scenarios. With all guards in their places the same scenarios show nothing; SLUICE_TEST_SIMULATIONS says how
 * many of them are tried.
 */

const SEED = 7;
const BUDGET = 900;
const HEALTHY = Math.ceil(Number(process.env.SLUICE_TEST_SIMULATIONS ?? 0) / 10);

afterEach(() => guards.take([]));

/** The first thing that goes wrong in so many scenarios, and the number of the scenario. */
async function firstViolation({ settings }: Control, count: number): Promise<string | null> {
  for (const scenario of fc.sample(scenarios(settings), { seed: SEED, numRuns: count })) {
    const { violation } = await simulate(scenario);
    if (violation !== null) return violation;
  }
  return null;
}

describe.each(CONTROLS.map((control) => [control.without.join(', and '), control] as const))('%s', (_, control) => {
  it('is missed when it is taken away', async () => {
    guards.take(control.without);
    expect(await firstViolation(control, BUDGET)).toMatch(control.shows);
  }, 120_000);

  it('is what keeps the rest in order', async () => {
    expect(await firstViolation(control, Math.max(1, HEALTHY))).toBeNull();
  }, 3_600_000);
});
