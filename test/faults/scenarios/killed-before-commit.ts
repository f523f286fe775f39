import { judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  readonly verdict: Verdict;
  readonly stuck: number;
  readonly kills: number;
  /** How the attempts of the steps ended at which the workers died, in order; null: none. */
  readonly atKills: readonly (string | null)[];
  /** Steps whose number of attempts is not one more than that of their crashes. */
  readonly burnt: number;
}

/** Row 3. */
export const killedBeforeCommit: Scenario<Findings> = {
  row: 3,
  title: 'a worker is killed after a claim, before the commit of its end',
  stack: () => ({ workers: 2 }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const [victim] = stack.workers;
    if (!victim) throw new Error('there is no worker');
    const points = ['worker.claimed', 'worker.attempt_ended'] as const;
    const accepted: string[] = [];
    const killedAt: { job: string; step: number; epoch: number }[] = [];
    for (let kill = 0; kill < (isControl ? 1 : 2 * size); kill += 1) {
      const died = await stage.armToDie(victim, points[kill % 2] ?? 'worker.claimed', random.int(1, 30));
      accepted.push(...(await submitMany(stack, 150, { pipeline: 'claimed' })));
      const { job = '', step = -1, epoch = -1 } = await died();
      killedAt.push({ job, step, epoch });
    }
    await stage.arm(victim);
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) await untilStreamEmpty(stack);
    const outcomes = await Promise.all(
      killedAt.map(async ({ job, step, epoch }) => {
        const [row] = await stack.query<{ outcomes: string | null }>(
          `SELECT string_agg(outcome, ', ' ORDER BY number) AS outcomes FROM attempts
            WHERE job_id = $1 AND idx = $2 AND epoch >= $3`,
          [job, step, epoch],
        );
        return row?.outcomes ?? null;
      }),
    );
    const [burnt] = await stack.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM steps JOIN unnest($1::uuid[]) AS id ON id = job_id
        WHERE status = 'completed' AND attempts <> crashes + 1`,
      [accepted],
    );
    return {
      ...{ stuck, kills: killedAt.length, atKills: outcomes, burnt: burnt?.count ?? -1 },
      verdict: await judge(stack, accepted, 3),
    };
  },

  check({ verdict, stuck, kills, atKills, burnt }) {
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
    expect(verdict.crashes).toBeGreaterThanOrEqual(kills);
    expect(burnt).toBe(0);
    // One more attempt, counted as a crash; a step that is caught twice has two.
    for (const outcomes of atKills) expect(outcomes).toMatch(/^(crashed, ){1,2}completed$/);
  },

  controls: [
    {
      guards: ['worker.acks_after_commit', 'scheduler.sweeps'],
      outcome: 'the step that was claimed is stuck',
      red: ({ stuck, atKills }) => {
        expect(stuck).toBeGreaterThan(0);
        expect(atKills).toEqual([null]);
      },
    },
  ],
};
