import { until } from '../../support/poll';
import {
  judge,
  messagesLeft,
  SPOTLESS,
  STEADY_TIMES,
  submitMany,
  untilCompleted,
  untilStreamEmpty,
  type Verdict,
} from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  readonly verdict: Verdict;
  readonly stuck: number;
}

interface StoreLost extends Findings {
  /** Milliseconds until the stream was there again. */
  readonly backInMs: number;
  /** Jobs that were not done when the store was lost, and had no message any more. */
  readonly withoutMessage: number;
}

/** Row 7. */
export const natsKilled: Scenario<Findings> = {
  row: 7,
  title: 'nats-server is killed under load, again and again',
  stack: () => ({ workers: 2, services: ['gateway', 'scheduler'], env: STEADY_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const kills = isControl ? 1 : 2 * size;
    const accepted = await submitMany(stack, 300);
    for (let kill = 0; kill < kills; kill += 1) {
      accepted.push(...(await submitMany(stack, 400)));
      await untilCompleted(stack, accepted, accepted.length - random.int(100, 350));
      await stack.nats.kill();
      // Their turns are refused by a server that is not there: only the sweep can send them.
      accepted.push(...(await submitMany(stack, 50)));
      await stack.nats.start();
    }
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) await untilStreamEmpty(stack, 60_000);
    return { stuck, verdict: await judge(stack, accepted, 3) };
  },

  check({ verdict, stuck }) {
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
    expect(verdict.crashes).toBe(0);
  },

  controls: [
    {
      guards: ['scheduler.sweeps'],
      outcome: 'turns that were not taken are never sent again',
      red: ({ stuck }) => expect(stuck).toBeGreaterThanOrEqual(50),
    },
  ],
};

/** Row 8. */
export const storeLost: Scenario<StoreLost> = {
  row: 8,
  title: 'the store of NATS is lost with thousands of jobs in flight',
  stack: () => ({ workers: 2, services: ['gateway', 'scheduler'], env: STEADY_TIMES }),

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    const accepted = await submitMany(stack, isControl ? 800 : 2_000 * size);
    await untilCompleted(stack, accepted, accepted.length / 8);
    await stack.nats.kill();
    await stack.nats.wipeStore();
    await stack.nats.start();
    const startedAtMs = performance.now();
    await until(() => messagesLeft(stack).then(() => true), { deadlineMs: 20_000, what: 'the stream made anew' });
    const backInMs = performance.now() - startedAtMs;
    const withoutMessage = await countWithoutMessage(stage.stack, accepted);
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) {
      await untilStreamEmpty(stack);
    }
    return { stuck, backInMs, withoutMessage, verdict: await judge(stack, accepted, 3) };
  },

  check({ verdict, stuck, backInMs, withoutMessage }) {
    expect(withoutMessage).toBeGreaterThan(0);
    expect(backInMs).toBeLessThan(10_000);
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['scheduler.sweeps'],
      outcome: 'jobs without a message stay where they are',
      red: ({ stuck, withoutMessage }) => {
        expect(stuck).toBeGreaterThan(0);
        expect(stuck).toBeLessThanOrEqual(withoutMessage);
      },
    },
  ],
};

async function countWithoutMessage(
  stack: Parameters<Scenario<StoreLost>['provoke']>[0]['stack'],
  jobs: readonly string[],
): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM unnest($1::uuid[]) AS id JOIN jobs USING (id) WHERE active`,
    [jobs],
  );
  return (row?.count ?? 0) - (await messagesLeft(stack));
}
