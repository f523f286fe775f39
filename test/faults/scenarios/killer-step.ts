import { untilAllEnded, judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { TestService } from '../../support/test-service';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';

interface Findings {
  /** Of the jobs whose steps harm nobody. */
  readonly good: Verdict;
  readonly killers: number;
  /** Killers that are failed, by their last error, after exactly three crashes and no other attempt. */
  readonly quarantined: number;
  readonly deaths: number;
  /** Neighbours that were charged with a crash, as they may be once or twice. */
  readonly blamed: number;
}

const KILLS_EACH = 3;

/** Row 13. */
export const killerStep: Scenario<Findings> = {
  row: 13,
  title: 'a step that kills its worker, among good ones',
  stack: () => ({ workers: 2, env: { SLUICE_CONCURRENCY: '10' } }),
  limitMs: 240_000,

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    const killers = isControl ? 2 : size;
    const stop = restartTheDead(stage);
    try {
      const good = await submitMany(stack, 10, { pipeline: 'good' });
      const bad = await submitMany(stack, killers, { pipeline: 'killer' });
      good.push(...(await submitMany(stack, 30 * size, { pipeline: 'good' })));
      await untilAllEnded(stack, [...good, ...bad], 60_000 * (killers + 1));
      await untilStreamEmpty(stack);
      const [row] = await stack.query<{ quarantined: number }>(
        `SELECT count(*)::int AS quarantined FROM steps JOIN unnest($1::uuid[]) AS id ON id = job_id
          WHERE status = 'failed' AND last_error ->> 'kind' = 'crashed' AND crashes = $2 AND attempts = $2`,
        [bad, KILLS_EACH],
      );
      const verdict = await judge(stack, good, 1);
      return {
        ...{ good: verdict, killers, blamed: verdict.crashes },
        quarantined: row?.quarantined ?? -1,
        deaths: stop(),
      };
    } finally {
      stop();
    }
  },

  check({ good, killers, quarantined, deaths, blamed }) {
    // One more is possible: a kill before the first flush leaves nothing that could be charged.
    // One less for each but one: before they are suspects, they may run side by side and be charged with one death.
    expect(deaths).toBeGreaterThanOrEqual((KILLS_EACH - 1) * killers + 1);
    expect(deaths).toBeLessThanOrEqual((KILLS_EACH + 1) * killers);
    expect(quarantined).toBe(killers);
    expect(blamed).toBeGreaterThan(0);
    expect(good).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['worker.suspects_apart'],
      outcome: 'neighbours of killers are quarantined with them',
      red: ({ good }) => expect(good.failedJobs).toBeGreaterThan(0),
    },
  ],
};

/** Starts workers again when they die, as a supervisor does. @returns what ends that, and tells how many had died */
function restartTheDead(stage: FaultStage): () => number {
  let deaths = 0;
  let isOver = false;
  const keep = async (worker: TestService): Promise<void> => {
    for (;;) {
      await worker.exit();
      if (isOver) return;
      deaths += 1;
      await stage.startAgain(worker);
    }
  };
  for (const worker of stage.stack.workers) void keep(worker);
  return () => {
    isOver = true;
    return deaths;
  };
}
