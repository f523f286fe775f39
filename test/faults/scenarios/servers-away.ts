import { until } from '../../support/poll';
import type { TestStack } from '../../support/stack';
import { judge, SPOTLESS, submitMany, untilCompleted, untilStreamEmpty, type Verdict } from '../oracle';
import { untilReadiness } from '../readiness';
import type { Scenario } from '../scenario';

interface NatsDown {
  readonly verdict: Verdict;
  readonly stuck: number;
  readonly ended: readonly string[];
  readonly acceptedMeanwhile: number;
  /** From the server's start until all services are ready. */
  readonly backInMs: number;
}

/** Row 9. */
export const natsDown: Scenario<NatsDown> = {
  row: 9,
  title: 'NATS is down for a while',
  stack: () => ({ workers: 2 }),
  limitMs: 240_000,

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    const services = [stack.gateway, stack.scheduler, ...stack.workers];
    const ended = stage.watchLives();
    const downMs = isControl ? 1_000 : size === 1 ? 5_000 : 60_000 * size;
    const accepted = await submitMany(stack, 500);
    await untilCompleted(stack, accepted, 50);
    await stack.nats.kill();
    const downAtMs = performance.now();
    await untilReadiness(
      services.map((service) => (service === stack.gateway ? [service, 200, 'degraded'] : [service, 503, 'down'])),
      15_000,
    );
    const before = accepted.length;
    await until(
      async () => {
        accepted.push(...(await submitMany(stack, 20)));
        return performance.now() - downAtMs > downMs;
      },
      { deadlineMs: downMs + 10_000, everyMs: 500, what: 'the end of the outage' },
    );
    const acceptedMeanwhile = accepted.length - before;
    await stack.nats.start();
    const backInMs = await untilReadiness(
      services.map((service) => [service, 200, 'ok']),
      20_000,
    );
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) await untilStreamEmpty(stack);
    return {
      ...{ stuck, acceptedMeanwhile, backInMs },
      ended: await ended(),
      verdict: await judge(stack, accepted, 3),
    };
  },

  check({ verdict, stuck, ended, acceptedMeanwhile, backInMs }) {
    expect(acceptedMeanwhile).toBeGreaterThan(0);
    expect(ended).toEqual([]);
    expect(backInMs).toBeLessThan(5_000);
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['scheduler.sweeps'],
      outcome: 'what was accepted meanwhile is stuck',
      red: ({ stuck, acceptedMeanwhile }) => expect(stuck).toBeGreaterThanOrEqual(acceptedMeanwhile),
    },
  ],
};

interface BlackHole {
  readonly verdict: Verdict;
  readonly stuck: number;
  readonly noticedInMs: number;
  /** From the end of the black hole until all services are ready; infinite when they do not become so. */
  readonly backInMs: number;
  /** Whether the gateway lists jobs again. */
  readonly answersAgain: boolean;
}

const NEVER_BACK_MS = 45_000;

/** Row 12. */
export const blackHole: Scenario<BlackHole> = {
  row: 12,
  title: 'nothing comes back from NATS and Postgres, and nobody says so',
  stack: () => ({ workers: 2, proxied: true }),
  limitMs: 300_000,

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    const services = [stack.gateway, stack.scheduler, ...stack.workers];
    const accepted = await submitMany(stack, 1_500);
    await untilCompleted(stack, accepted, 100);
    const startedAtMs = performance.now();
    stack.natsLine.blackHole();
    if (!isControl) stack.postgresLine.blackHole();
    const noticedInMs = await untilReadiness(
      services.map((service) =>
        isControl && service === stack.gateway ? [service, 200, 'degraded'] : [service, 503, 'down'],
      ),
      60_000,
    );
    // People go on asking: what waits for these answers must not keep a connection for ever.
    const asked = Array.from({ length: 60 }, () => lists(stack, 3_000));
    const holeMs = size === 1 ? 12_000 : 60_000;
    await until(() => performance.now() - startedAtMs > holeMs, { deadlineMs: holeMs + 1_000, everyMs: 100 });
    stack.natsLine.heal();
    stack.postgresLine.heal();
    await Promise.all(asked);
    const readable = until(() => lists(stack, 5_000), {
      deadlineMs: NEVER_BACK_MS,
      everyMs: 200,
      what: 'a list of jobs',
    });
    const answersAgain = await readable.catch(() => false);
    const backInMs = await untilReadiness(
      services.map((service) => [service, 200, 'ok']),
      NEVER_BACK_MS,
    ).catch(() => Infinity);
    const stuck = backInMs === Infinity ? await countActive(stack, accepted) : await stage.untilAtRest(accepted);
    return { stuck, noticedInMs, backInMs, answersAgain, verdict: await judge(stack, accepted, 3) };
  },

  check({ verdict, stuck, noticedInMs, backInMs, answersAgain }) {
    expect(answersAgain).toBe(true);
    expect(noticedInMs).toBeLessThan(30_000);
    expect(backInMs).toBeLessThan(NEVER_BACK_MS);
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['bus.gives_up_silence'],
      outcome: 'a line that has gone dead is waited on for ever',
      red: ({ backInMs, stuck }) => {
        expect(backInMs).toBe(Infinity);
        expect(stuck).toBeGreaterThan(0);
      },
    },
  ],
};

async function countActive(stack: TestStack, jobs: readonly string[]): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM unnest($1::uuid[]) AS id JOIN jobs USING (id) WHERE active',
    [jobs],
  );
  return row?.count ?? 0;
}

/** Whether the gateway answers with a list of jobs within the time. */
async function lists(stack: TestStack, limitMs: number): Promise<boolean> {
  try {
    const response = await fetch(`${stack.url}/v1/ingest?limit=1`, { signal: AbortSignal.timeout(limitMs) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
