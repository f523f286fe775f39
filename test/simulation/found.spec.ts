import '../support/simulation/doubles';
import { pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { pipelineOf, stepNamed } from '../support/drafts';
import type { PlanEntry } from '../support/simulation/plan';
import type { Scenario } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/* What simulations have found, as small as fast-check made it. */

/** What has found no end goes on until long after it should have. */
jest.setTimeout(120_000);

type Planned = [on: PlanEntry['on'], nth: number, what: PlanEntry['action'], ms?: number];

/** Jobs of one pipeline, submitted at these times, to one worker. */
function scenario(steps: StepDefinition[], atMs: number[], plan: Planned[]): Omit<Scenario, 'seed'> {
  const all = steps.map((step) => ({ ...step, uses: 'once' }));
  return {
    ...{ workers: 1, schedulers: 1 },
    pipelines: [{ definition: pipelineOf(all), graph: pipelineGraph(all) }],
    jobs: atMs.map((each) => ({
      atMs: each,
      heldMs: null,
      priority: 'default',
      pipeline: 0,
      needs: [],
      onDependencyFailure: 'fail',
    })),
    plan: plan.map(([on, nth, action, ms = 20]) => ({ on, nth, action, ms, which: 0 })),
    trouble: { endMs: 120_000, healMs: 600_000 },
  };
}

/** What is wrong with it, whatever chance does. */
async function violations(what: Omit<Scenario, 'seed'>): Promise<string[]> {
  const found: string[] = [];
  for (let seed = 0; seed < 10; seed += 1) {
    const { violation } = await simulate({ ...what, seed });
    if (violation !== null) found.push(`seed ${seed}: ${violation}`);
  }
  return found;
}

it('a step whose worker and message are lost is mended, though another of its job tries for its tokens again and again', async () => {
  const both = stepNamed('both', { concurrency: 2, resources: { shared: 2 } });
  const one = stepNamed('one', { resources: { shared: 1 } });
  const lost: Planned[] = [
    ['delivered', 0, 'wipe-nats'],
    ['delivered', 0, 'kill'],
  ];
  expect(await violations(scenario([both, one], [0], lost))).toEqual([]);
});

it('cancels of which a look shows only as many as it may are acknowledged, though all were marked late', async () => {
  const cancels: Planned[] = [
    ['stored', 0, 'cancel'],
    ['publish', 1, 'cancel'],
    ['delivered', 0, 'cancel'],
  ];
  expect(await violations(scenario([stepNamed('a'), stepNamed('b')], [0, 0], cancels))).toEqual([]);
});

it('a turn that a gateway publishes long after it has stored the job does not begin unread: the sweep has sent it', async () => {
  const steps = [stepNamed('a'), stepNamed('b', { needs: ['a'] })];
  expect(await violations(scenario(steps, [0, 5_000], [['publish', 0, 'stop', 45_000]]))).toEqual([]);
});

it('a turn whose settlement was in doubt, and is stale, goes on with what is recorded, not with what it remembers', async () => {
  const steps = [stepNamed('a'), stepNamed('b', { needs: ['a'] })];
  const doubt: Planned[] = [
    ['ended', 0, 'cut', 50_000],
    ['begun', 2, 'take-long'],
    ['begun', 2, 'drain', 45_000],
  ];
  expect(await violations({ ...scenario(steps, [0], doubt), workers: 2 })).toEqual([]);
});
