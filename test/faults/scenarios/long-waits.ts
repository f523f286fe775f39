import { submitMany, untilAllEnded } from '../oracle';
import { until } from '../../support/poll';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';

interface Findings {
  readonly waiting: number;
  /** Of those, by the rows: in back-off, with none of them due. */
  readonly inBackOff: number;
  readonly aloneMs: number;
  /** The same number of fresh jobs while the others wait; infinite when they do not get through. */
  readonly besideMs: number;
  readonly stuck: number;
}

const FRESH_LIMIT_MS = 8_000;

/** Row 15. */
export const longWaits: Scenario<Findings> = {
  row: 15,
  title: 'thousands of steps in long back-off',
  stack: () => ({ workers: 1 }),

  async provoke(stage, { size }) {
    const { stack } = stage;
    await freshMs(stage, 400); // warms up
    const aloneMs = await freshMs(stage, 400);
    const waiting = await submitMany(stack, 1_300 * size, { pipeline: 'waiting' });
    const inBackOff = async (): Promise<number> => {
      const [row] = await stack.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM steps JOIN unnest($1::uuid[]) AS id ON id = job_id
          WHERE status = 'retrying' AND next_retry_at > now() + interval '20 seconds'`,
        [waiting],
      );
      return row?.count ?? 0;
    };
    // Where they block the consumer, the last of them do not even get to their first attempt.
    let before = -1;
    await until(
      async () => {
        const now = await inBackOff();
        const isSteady = now === before && now > 900;
        before = now;
        return now === waiting.length || isSteady;
      },
      { deadlineMs: 60_000, everyMs: 500, what: 'thousands of steps in back-off' },
    );
    const besideMs = await freshMs(stage, 400).catch(() => Infinity);
    const found = { waiting: waiting.length, inBackOff: await inBackOff(), aloneMs, besideMs };
    if (stage.isControl) return { ...found, stuck: waiting.length };
    // Their time has come: not one of them was forgotten.
    await stack.query(
      `UPDATE steps SET next_retry_at = now() FROM unnest($1::uuid[]) AS id WHERE job_id = id AND status = 'retrying'`,
      [waiting],
    );
    return { ...found, stuck: await stage.untilAtRest(waiting) };
  },

  check({ waiting, inBackOff, aloneMs, besideMs, stuck }) {
    expect(stuck).toBe(0);
    expect(inBackOff).toBe(waiting);
    expect(besideMs).toBeLessThan(3 * aloneMs + 2_000);
  },

  controls: [
    {
      guards: ['worker.long_waits_leave', 'bus.roomy_consumers'],
      outcome: 'fresh jobs wait behind those that wait',
      red: ({ besideMs }) => expect(besideMs).toBe(Infinity),
    },
  ],
};

/** How long so many fresh jobs take, from the first submission to the last end. */
async function freshMs({ stack }: FaultStage, count: number): Promise<number> {
  const startedAtMs = performance.now();
  await untilAllEnded(stack, await submitMany(stack, count, { pipeline: 'fresh' }), FRESH_LIMIT_MS);
  return performance.now() - startedAtMs;
}
