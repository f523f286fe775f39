import { judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';
import { runningOfDead } from './worker-killed';

interface AfterCommit {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** (job, step) pairs whose effect was committed when a worker died. */
  readonly committed: number;
  /** Those of them whose handler was called again. */
  readonly secondEffects: number;
}

/** Steps of these jobs that are recorded as completed, and by which epoch. */
async function effectsOf({ stack }: FaultStage, jobs: readonly string[]): Promise<[key: string, epoch: number][]> {
  const rows = await stack.query<{ key: string; epoch: number }>(
    `SELECT job_id || ':' || idx AS key, epoch FROM attempts JOIN unnest($1::uuid[]) AS id ON id = job_id WHERE outcome = 'completed'`,
    [jobs],
  );
  return rows.map(({ key, epoch }) => [key, epoch]);
}

/** Row 2. */
export const killedAfterCommit: Scenario<AfterCommit> = {
  row: 2,
  title: 'a worker is killed after a commit, before it publishes or acks',
  stack: () => ({ workers: 2, services: ['gateway', 'scheduler'] }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    // The one that lives on was there before the jobs: so it may take a first delivery unread.
    const [victim] = stack.workers;
    if (!victim) throw new Error('there is no worker');
    const committed = new Map<string, number>();
    const accepted: string[] = [];
    for (let kill = 1; kill <= (isControl ? 1 : 2 * size); kill += 1) {
      const point = isControl ? 'worker.published' : random.pick(['worker.settled', 'worker.published'] as const);
      const died = await stage.armToDie(victim, point, random.int(1, 60));
      accepted.push(...(await submitMany(stack, 400)));
      await died();
      await runningOfDead(stage, victim.pid);
      for (const [key, epoch] of await effectsOf(stage, accepted)) committed.set(key, epoch);
    }
    await stage.arm(victim);
    const stuck = await stage.untilAtRest(accepted);
    await untilStreamEmpty(stack);
    // The effect itself, and whatever has begun the step after it.
    const begins = new Map<string, number>();
    for (const { job, step, epoch } of stage.begins()) {
      const key = `${job}:${step}`;
      if (epoch >= (committed.get(key) ?? Infinity)) begins.set(key, (begins.get(key) ?? 0) + 1);
    }
    return {
      stuck,
      verdict: await judge(stack, accepted, 3),
      committed: committed.size,
      secondEffects: [...begins.values()].filter((times) => times > 1).length,
    };
  },

  check({ verdict, stuck, committed, secondEffects }) {
    expect(committed).toBeGreaterThan(0);
    expect(secondEffects).toBe(0);
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['worker.redelivery_reads'],
      outcome: 'what was committed begins again',
      red: ({ secondEffects }) => expect(secondEffects).toBeGreaterThan(0),
    },
  ],
};
