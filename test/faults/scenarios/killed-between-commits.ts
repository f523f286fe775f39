import { judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import { committedKeys } from '../effects';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';
import { runningOfDead } from './worker-killed';

interface AfterCommit {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** (job, step) pairs whose effect was committed when a worker died. */
  readonly committed: number;
  /** For each death: how many of them were of the job that it befell. */
  readonly atKills: readonly number[];
  /** Those of them whose handler was called again, by what the workers say. */
  readonly secondEffects: number;
  /** The same of effects outside of Sluice, by the server that was called. */
  readonly calledAgain: number;
  /** Steps with an effect outside that never happened. */
  readonly uncalled: number;
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
    const calls = new Map<string, number>();
    const atKills: number[] = [];
    const [accepted, outside]: [string[], string[]] = [[], []];
    for (let kill = 1; kill <= (isControl ? 1 : 2 * size); kill += 1) {
      const point = isControl ? 'worker.published' : random.pick(['worker.settled', 'worker.published'] as const);
      const died = await stage.armToDie(victim, point, random.int(1, 60));
      const isOutside = isControl || kill % 2 === 0;
      const jobs = await submitMany(stack, 300, { pipeline: isOutside ? 'outside' : 'three' });
      accepted.push(...jobs);
      if (isOutside) outside.push(...jobs);
      const { job = '' } = await died();
      await runningOfDead(stage, victim.pid);
      const effects = await effectsOf(stage, accepted);
      for (const [key, epoch] of effects) committed.set(key, epoch);
      atKills.push(effects.filter(([key]) => key.startsWith(`${job}:`)).length);
      // Whatever is called from now on, of what is committed by now, is done a second time.
      const keys = await committedKeys(stack, outside);
      const counts = stage.effects.counts();
      for (const key of keys) if (!calls.has(key)) calls.set(key, counts.get(key) ?? 0);
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
    const counts = stage.effects.counts();
    return {
      ...{ stuck, atKills },
      verdict: await judge(stack, accepted, 3),
      committed: committed.size,
      secondEffects: [...begins.values()].filter((times) => times > 1).length,
      calledAgain: [...calls].filter(([key, before]) => counts.get(key) !== before).length,
      uncalled: (await committedKeys(stack, outside)).filter((key) => !counts.has(key)).length,
    };
  },

  check({ verdict, stuck, committed, atKills, secondEffects, calledAgain, uncalled }) {
    expect(committed).toBeGreaterThan(0);
    expect(Math.min(...atKills)).toBeGreaterThan(0);
    expect(secondEffects).toBe(0);
    expect(calledAgain).toBe(0);
    expect(uncalled).toBe(0);
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['worker.redelivery_reads'],
      outcome: 'what was committed begins again',
      red: ({ secondEffects, calledAgain }) => {
        expect(secondEffects).toBeGreaterThan(0);
        expect(calledAgain).toBeGreaterThan(0);
      },
    },
  ],
};
