import '../support/simulation/doubles';
import fc from 'fast-check';
import { HOLD_REQUESTS } from '../support/simulation/plan';
import { scenarios } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/*
 * The simulation of protocol.spec.ts with jobs that are held: for a time that somebody changes, and for other jobs, which
 * end, go on and are cancelled while the services die. None begins early, none waits for ever, none stays failed for a job
 * that is completed after all. The controls are in guards.spec.ts.
 */

const RUNS = Number(process.env.SLUICE_TEST_SIMULATIONS ?? 150);
const SEED = Number(process.env.SLUICE_TEST_SEED ?? 7);

describe('held jobs', () => {
  const seen = new Map<string, number>();

  it('begin when their time has come and those that they need are completed, through all that may go wrong', async () => {
    const tried = fc.asyncProperty(scenarios({ held: true, jobs: 4, limited: false }), async (scenario) => {
      const { violation, story, seen: all } = await simulate(scenario);
      for (const what of all) seen.set(what, (seen.get(what) ?? 0) + 1);
      if (violation !== null) throw new Error([violation, ...story].join('\n'));
    });
    await fc.assert(tried, { numRuns: RUNS, seed: SEED });
  }, 3_600_000);

  it('were of all kinds', () => {
    const wanted = [...HOLD_REQUESTS, 'job failed for another', 'job held again'];
    expect(wanted.filter((what) => !seen.has(what))).toEqual([]);
  });
});
