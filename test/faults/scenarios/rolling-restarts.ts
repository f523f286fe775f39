import { until } from '../../support/poll';
import { judge, SPOTLESS, STEADY_TIMES, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  readonly short: Verdict;
  readonly long: Verdict;
  readonly exits: readonly (number | null)[];
  readonly slowestStopMs: number;
  /** Attempts of all kinds, beyond one for each step. */
  readonly burnt: number;
  /** Long steps that another worker began anew. */
  readonly handedBack: number;
  readonly stuck: number;
}

const GRACE_MS = 1_000;
/** For handing back, flushing and closing (Drain's closing limit). */
const CLOSING_MS = 4_000;

/** Row 18. */
export const rollingRestarts: Scenario<Findings> = {
  row: 18,
  title: 'workers are stopped and started one after another under load',
  stack: () => ({
    workers: 2,
    env: { ...STEADY_TIMES, SLUICE_GRACE: `${GRACE_MS}ms` },
  }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const restarts = isControl ? 1 : 2 * size;
    const exits: (number | null)[] = [];
    const [short, long]: [string[], string[]] = [[], []];
    let slowestStopMs = 0;
    for (let restart = 0; restart < restarts; restart += 1) {
      const worker = stack.workers[restart % stack.workers.length];
      if (!worker) throw new Error('there is no worker');
      short.push(...(await submitMany(stack, random.int(300, 600), { pipeline: 'short' })));
      const ours = new Set(await submitMany(stack, 20, { pipeline: 'long' }));
      long.push(...ours);
      // Its long steps have all of their time before them, which is more than the grace.
      const hasBegun = (): boolean => stage.begins(worker).some(({ job }) => ours.has(job));
      await until(hasBegun, { deadlineMs: 30_000, what: `a long step on ${worker.name}` });
      const startedAtMs = performance.now();
      const exit = await worker.stop();
      slowestStopMs = Math.max(slowestStopMs, performance.now() - startedAtMs);
      exits.push(exit?.code ?? null);
      await stage.arm(worker);
    }
    const all = [...short, ...long];
    const stuck = await stage.untilAtRest(all);
    await untilStreamEmpty(stack);
    const [attempts] = await stack.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM attempts JOIN unnest($1::uuid[]) AS id ON id = job_id',
      [all],
    );
    const begins = stage.begins();
    const ours = new Set(long);
    return {
      ...{ stuck, exits, slowestStopMs },
      short: await judge(stack, short, 2),
      long: await judge(stack, long, 1),
      burnt: (attempts?.count ?? 0) - 2 * short.length - long.length,
      handedBack: begins.filter(({ job }) => ours.has(job)).length - long.length,
    };
  },

  check({ short, long, exits, slowestStopMs, burnt, handedBack, stuck }) {
    expect(handedBack).toBeGreaterThan(0);
    expect(exits.filter((code) => code !== 0)).toEqual([]);
    expect(slowestStopMs).toBeLessThan(GRACE_MS + CLOSING_MS);
    expect(burnt).toBe(0);
    expect(stuck).toBe(0);
    expect(short).toEqual({ ...SPOTLESS, crashes: 0 });
    expect(long).toEqual({ ...SPOTLESS, crashes: 0 });
  },

  controls: [
    {
      guards: ['worker.hands_back'],
      outcome: 'what the stopped worker ran counts as crashed',
      red: ({ burnt, long }) => {
        expect(long.crashes).toBeGreaterThan(0);
        expect(burnt).toBeGreaterThanOrEqual(long.crashes);
      },
    },
  ],
};
