import { committedKeys } from '../effects';
import { EFFECT_STEPS } from '../pipelines';
import { judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

const POINTS = ['worker.claimed', 'worker.attempt_ended'] as const;

/** A step at which a worker died. */
interface AtKill {
  readonly point: (typeof POINTS)[number];
  /** How its attempts have ended since, in order; null: none has. */
  readonly outcomes: string | null;
  /** The number of the attempt that was cut off. */
  readonly crashed: number | null;
  /** The attempts whose effect has happened, by the server outside of Sluice that they called. */
  readonly effects: readonly number[];
}

interface Findings {
  readonly verdict: Verdict;
  readonly stuck: number;
  readonly atKills: readonly AtKill[];
  /** Steps whose number of attempts is not one more than that of their crashes. */
  readonly burnt: number;
  /** Steps whose effect never happened. */
  readonly uncalled: number;
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
    const accepted: string[] = [];
    const killedAt: (Pick<AtKill, 'point'> & { job: string; step: number; epoch: number })[] = [];
    for (let kill = 0; kill < (isControl ? 1 : 2 * size); kill += 1) {
      const point = POINTS[kill % 2] ?? 'worker.claimed';
      const died = await stage.armToDie(victim, point, random.int(1, 30));
      accepted.push(...(await submitMany(stack, 150, { pipeline: 'outside_claimed' })));
      const { job = '', step = -1, epoch = -1 } = await died();
      killedAt.push({ point, job, step, epoch });
    }
    await stage.arm(victim);
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) await untilStreamEmpty(stack);
    const { calls } = stage.effects;
    const atKills: AtKill[] = [];
    for (const { point, job, step, epoch } of killedAt) {
      const [row] = await stack.query<{ outcomes: string | null; crashed: number | null }>(
        `SELECT string_agg(outcome, ', ' ORDER BY number) AS outcomes, min(number) AS crashed FROM attempts
          WHERE job_id = $1 AND idx = $2 AND epoch >= $3`,
        [job, step, epoch],
      );
      const key = `${job}:${EFFECT_STEPS[step]}`;
      const effects = calls.filter((call) => call.key === key).map(({ attempt }) => attempt);
      atKills.push({ point, outcomes: row?.outcomes ?? null, crashed: row?.crashed ?? null, effects });
    }
    const [burnt] = await stack.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM steps JOIN unnest($1::uuid[]) AS id ON id = job_id
        WHERE status = 'completed' AND attempts <> crashes + 1`,
      [accepted],
    );
    const called = stage.effects.counts();
    return {
      ...{ stuck, atKills, burnt: burnt?.count ?? -1 },
      verdict: await judge(stack, accepted, 3),
      uncalled: (await committedKeys(stack, accepted)).filter((key) => !called.has(key)).length,
    };
  },

  check({ verdict, stuck, atKills, burnt, uncalled }) {
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
    expect(verdict.crashes).toBeGreaterThanOrEqual(atKills.length);
    expect(burnt).toBe(0);
    expect(uncalled).toBe(0);
    for (const { point, outcomes, crashed, effects } of atKills) {
      // One more attempt, counted as a crash; a step that is caught twice has two.
      expect(outcomes).toMatch(/^(crashed, ){1,2}completed$/);
      // The effect of an attempt that had ended has happened, and happens again; of one that had not begun, only then.
      expect(effects.includes(crashed ?? -1)).toBe(point === 'worker.attempt_ended');
      expect(Math.max(...effects)).toBeGreaterThan(crashed ?? Infinity);
      expect(new Set(effects).size).toBe(effects.length);
    }
  },

  controls: [
    {
      guards: ['worker.acks_after_commit', 'scheduler.sweeps'],
      outcome: 'the step that was claimed is stuck',
      red: ({ stuck, atKills }) => {
        expect(stuck).toBeGreaterThan(0);
        expect(atKills).toMatchObject([{ outcomes: null, effects: [] }]);
      },
    },
  ],
};
