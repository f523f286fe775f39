import '../support/simulation/doubles';
import fc from 'fast-check';
import { type Control, CONTROLS } from '../support/simulation/controls';
import { guards } from '../support/simulation/guards';
import { type Scenario, scenarios } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/*
 * The negative controls of protocol.spec.ts: for each guard of the turn protocol, a guard taken away is seen within a fixed
 * number of scenarios. With all guards in their places the same scenarios show nothing; SLUICE_TEST_SIMULATIONS has
 * more of them tried.
 *
 * The seed of a control is one with which the first few scenarios show it. Where a change of the product or of the
 * scenarios has made it another, it is still seen, but late, and this file takes minutes:
 * SLUICE_TEST_FIND_SEEDS=60 npx jest test/simulation/guards   names the best of so many seeds for each control.
 */

const BUDGET = 900;
const HEALTHY = Math.ceil(Number(process.env.SLUICE_TEST_SIMULATIONS ?? 0) / 10);
const SEEDS = Number(process.env.SLUICE_TEST_FIND_SEEDS ?? 0);

afterEach(() => guards.take([]));

interface Shown {
  readonly violation: string;
  /** The number of the scenario, from 1. */
  readonly after: number;
}

/** So many scenarios, made as they are asked for. */
function* scenariosOf({ settings, seed }: Control, count: number): Generator<Scenario> {
  for (let made = 0, numRuns = 0; made < count; made = numRuns) {
    numRuns = Math.min(count, Math.max(4, 4 * made));
    yield* fc.sample(scenarios(settings), { seed, numRuns }).slice(made);
  }
}

/** The first thing that goes wrong in so many scenarios. */
async function firstViolation(control: Control, count: number): Promise<Shown | null> {
  let after = 0;
  for (const scenario of scenariosOf(control, count)) {
    after += 1;
    const { violation } = await simulate(scenario);
    if (violation !== null) return { violation, after };
  }
  return null;
}

/** The seed with which the control shows soonest, and nothing else does, of 1 to `SEEDS`. */
async function bestSeed(control: Control): Promise<string> {
  let best = { seed: 0, after: 30 };
  for (let seed = 1; seed <= SEEDS && best.after > 1; seed += 1) {
    const tried = { ...control, seed };
    guards.take(control.without);
    const shown = await firstViolation(tried, best.after - 1);
    if (!shown || !control.shows.test(shown.violation)) continue;
    guards.take([]);
    if ((await firstViolation(tried, shown.after)) === null) best = { seed, after: shown.after };
  }
  return `${control.without.join(', and ')}: seed ${best.seed} shows it after ${best.after}`;
}

describe.each(CONTROLS.map((control) => [control.without.join(', and '), control] as const))('%s', (_, control) => {
  let tried = 1;

  it('is missed when it is taken away', async () => {
    if (SEEDS > 0) return void process.stderr.write(`${await bestSeed(control)}\n`);
    guards.take(control.without);
    const shown = await firstViolation(control, BUDGET);
    expect(shown?.violation).toMatch(control.shows);
    tried = shown?.after ?? BUDGET;
  }, 3_600_000);

  it('is what keeps the rest in order', async () => {
    expect(await firstViolation(control, Math.max(tried, HEALTHY))).toBeNull();
  }, 3_600_000);
});
