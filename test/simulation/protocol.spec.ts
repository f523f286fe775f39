import '../support/simulation/doubles';
import fc from 'fast-check';
import { FAULTS, REQUESTS, TURNS_OF_EVENTS } from '../support/simulation/plan';
import { scenarios } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/*
 * The whole turn protocol, simulated: the real worker (but for its pull consumer and its handlers), the real scheduler, and
 * the rules of the domain, on a Postgres and a JetStream that behave as the real ones do and lose what those may lose. One
 * process, one clock that no real time passes on, chance from a seed: what fails fails again, and fast-check makes it small.
 *
 * A scenario is a few jobs and a plan of what goes wrong: at the nth commit, begin, publish …, a process dies, a message is
 * lost, somebody cancels. An oracle looks at every commit and at every begin of a handler (test/support/simulation/oracle.ts
 * says what it holds); in the end everything must be over: no job open, no message left, no token held.
 *
 * SLUICE_TEST_SIMULATIONS=20000 npx jest test/simulation   tries so many scenarios instead of a few hundred.
 * SLUICE_TEST_SEED=8                                       tries those of another seed (a failure names its own).
 *
 * The seed is fixed, so that a change of the product and not chance decides whether a run is green.
 */

const RUNS = Number(process.env.SLUICE_TEST_SIMULATIONS ?? 400);
const SEED = Number(process.env.SLUICE_TEST_SEED ?? 7);

describe('the turn protocol', () => {
  const seen = new Map<string, number>();

  it('keeps every promise through all that may go wrong, and brings everything to its end', async () => {
    const tried = fc.asyncProperty(scenarios(), async (scenario) => {
      const { violation, story, seen: all } = await simulate(scenario);
      for (const what of all) seen.set(what, (seen.get(what) ?? 0) + 1);
      if (violation !== null) throw new Error([violation, ...story].join('\n'));
    });
    await fc.assert(tried, { numRuns: RUNS, seed: SEED });
  }, 3_600_000);

  it('went through everything that may go wrong, and all kinds of ends', () => {
    const wanted = [
      ...[...FAULTS, ...REQUESTS, ...TURNS_OF_EVENTS, 'attempt completed', 'attempt failed', 'attempt crashed'],
      ...['attempt cancelled', 'job completed', 'job failed', 'job cancelled', 'job completed in a later run'],
    ];
    expect(wanted.filter((what) => !seen.has(what))).toEqual([]);
  });
});
