import '../support/simulation/doubles';
import { pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { pipelineOf, stepNamed } from '../support/drafts';
import type { PlanEntry } from '../support/simulation/plan';
import type { Scenario } from '../support/simulation/scenario';
import { simulate } from '../support/simulation/simulate';

/* What simulations have found, as small as fast-check made it. */

function scenario(
  steps: StepDefinition[],
  plan: [on: PlanEntry['on'], nth: number, what: PlanEntry['action'], ms?: number][],
): Scenario {
  const all = steps.map((step) => ({ ...step, uses: 'once' }));
  return {
    ...{ seed: 0, workers: 1, schedulers: 1 },
    pipelines: [{ definition: pipelineOf(all), graph: pipelineGraph(all) }],
    jobs: [0, 0].map((atMs) => ({ atMs, heldMs: null, priority: 'default', pipeline: 0 })),
    plan: plan.map(([on, nth, action, ms = 20]) => ({ on, nth, action, ms, which: 0 })),
    trouble: { endMs: 120_000, healMs: 600_000 },
  };
}

it('a step whose worker and message are lost is mended, though another of its job tries for its tokens again and again', async () => {
  const steps = [
    stepNamed('both', { concurrency: 2, resources: { shared: 2 } }),
    stepNamed('one', { resources: { shared: 1 } }),
  ];
  const plan = scenario(steps, [
    ['delivered', 0, 'wipe-nats'],
    ['delivered', 0, 'kill'],
  ]);
  expect((await simulate(plan)).violation).toBeNull();
});

it('cancels of which a look shows only as many as it may are acknowledged, though all were marked late', async () => {
  const plan = scenario(
    [stepNamed('a'), stepNamed('b')],
    [
      ['stored', 0, 'cancel'],
      ['publish', 1, 'cancel'],
      ['delivered', 0, 'cancel'],
    ],
  );
  expect((await simulate(plan)).violation).toBeNull();
});

it('a turn that a gateway publishes long after it has stored the job does not begin unread: the sweep has sent it', async () => {
  const steps = [stepNamed('a'), stepNamed('b', { needs: ['a'] })];
  const plan = scenario(steps, [['publish', 0, 'stop', 45_000]]);
  expect(
    (await simulate({ ...plan, jobs: plan.jobs.map((job, index) => ({ ...job, atMs: index * 5_000 })) })).violation,
  ).toBeNull();
});
