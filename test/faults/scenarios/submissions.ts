import { Client } from 'pg';
import { until } from '../../support/poll';
import type { TestStack } from '../../support/stack';
import type { FaultStage } from '../fault-stage';
import { KeyedClient } from '../keyed-client';
import { judge, SPOTLESS, untilStreamEmpty, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

export interface Submitted {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** Calls that had no answer because the gateway died. */
  readonly unanswered: number;
  /** Ids that were answered and are no job. */
  readonly falselyAccepted: number;
  /** Keys that were answered with more than one id. */
  readonly twoAnswers: number;
  /** Jobs that are stored beyond one for each key. */
  readonly surplus: number;
}

/** Row 4. */
export const gatewayKilled: Scenario<Submitted> = {
  row: 4,
  title: 'the gateway is killed during keyed submissions',
  stack: () => ({ workers: 1, services: ['gateway', 'scheduler'] }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const { gateway } = stack;
    const before = await countJobs(stack);
    const client = new KeyedClient(stack.url, `row-4-${before}`, 'three');
    const points = ['gateway.stored', 'gateway.announced'] as const;
    for (let kill = 0; kill < (isControl ? 1 : 2 * size); kill += 1) {
      const died = await stage.armToDie(gateway, points[kill % 2] ?? 'gateway.stored', random.int(1, 40));
      client.send(100);
      await died();
    }
    await stage.arm(gateway);
    await client.untilAccepted();
    await killWhileStoring(stage, client);
    await client.untilAccepted();
    const stuck = await stage.untilAtRest(client.accepted);
    await untilStreamEmpty(stack);
    return { stuck, ...(await weigh(stack, client, before)) };
  },

  check: checkSubmitted,

  controls: [
    {
      guards: ['store.keys_are_kept'],
      outcome: 'a repeated submission is another job',
      red: ({ surplus, falselyAccepted }) => {
        expect(surplus).toBeGreaterThan(0);
        expect(falselyAccepted).toBe(0);
      },
    },
    {
      guards: ['gateway.answers_after_commit'],
      outcome: 'a job was accepted that is not there',
      red: ({ falselyAccepted, verdict }) => {
        expect(falselyAccepted).toBeGreaterThan(0);
        expect(verdict.lost).toBe(falselyAccepted);
      },
    },
  ],
};

export function checkSubmitted({ verdict, stuck, unanswered, ...counts }: Submitted): void {
  expect(unanswered).toBeGreaterThan(0);
  expect(counts).toEqual({ falselyAccepted: 0, twoAnswers: 0, surplus: 0 });
  expect(stuck).toBe(0);
  expect(verdict).toMatchObject(SPOTLESS);
}

/** Nothing can be stored while the table is locked: whoever says 202 now has not stored it. */
async function killWhileStoring(stage: FaultStage, client: KeyedClient): Promise<void> {
  const { stack } = stage;
  await whileLocked(stack, async () => {
    client.send(20);
    const before = client.unanswered;
    await untilInsertWaits(stack);
    if (stage.isWithout('gateway.answers_after_commit')) await client.untilAccepted();
    await stack.gateway.kill();
    if (!stage.isWithout('gateway.answers_after_commit')) await until(() => client.unanswered > before);
    // A statement that waits for a lock does not see that its client is gone: it would store the jobs all the same.
    await stack.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'sluice-gateway'`,
    );
  });
  await stage.arm(stack.gateway);
}

/** Holds a lock that keeps jobs from being stored while `work` is under way. */
async function whileLocked(stack: TestStack, work: () => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: stack.database.url, application_name: 'sluice-test' });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE jobs IN EXCLUSIVE MODE');
    await work();
  } finally {
    await client.end();
  }
}

async function untilInsertWaits(stack: TestStack): Promise<void> {
  const waits = async (): Promise<boolean> => {
    const [row] = await stack.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'sluice-gateway' AND wait_event_type = 'Lock'`,
    );
    return (row?.count ?? 0) > 0;
  };
  await until(waits, { deadlineMs: 10_000, what: 'a submission that waits for the lock' });
}

export async function countJobs(stack: TestStack): Promise<number> {
  const [row] = await stack.query<{ count: number }>('SELECT count(*)::int AS count FROM jobs');
  return row?.count ?? 0;
}

/** What became of what a client was told. */
export async function weigh(
  stack: TestStack,
  client: KeyedClient,
  jobsBefore: number,
): Promise<Omit<Submitted, 'stuck'>> {
  const { accepted, jobs, unanswered } = client;
  const [found] = await stack.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM unnest($1::uuid[]) AS id JOIN jobs USING (id)',
    [accepted],
  );
  return {
    unanswered,
    falselyAccepted: accepted.length - (found?.count ?? 0),
    twoAnswers: jobs.filter(({ ids }) => new Set(ids).size > 1).length,
    surplus: (await countJobs(stack)) - jobsBefore - jobs.length,
    verdict: await judge(stack, accepted, 3),
  };
}

async function untilRefused(client: KeyedClient, more: number): Promise<void> {
  const before = client.refusals.length;
  const enough = (): boolean => client.refusals.length >= before + more;
  await until(enough, { deadlineMs: 20_000, what: 'refused submissions' });
}

interface PostgresStopped extends Submitted {
  /** Refusals other than 503 with a `Retry-After`. */
  readonly badRefusals: number;
  /** Services that did not live through it. */
  readonly ended: readonly string[];
}

/** Row 10. */
export const postgresStopped: Scenario<PostgresStopped> = {
  row: 10,
  title: 'Postgres is stopped at once and started, again and again',
  stack: () => ({ workers: 2, ownPostgres: true }),

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    const before = await countJobs(stack);
    const ended = stage.watchLives();
    const client = new KeyedClient(stack.url, `row-10-${before}`, 'three');
    for (let stop = 0; stop < (isControl ? 1 : 2 * size); stop += 1) {
      client.send(150);
      await until(async () => (await countJobs(stack)) > before + client.jobs.length - 120, { deadlineMs: 20_000 });
      client.send(150);
      await stack.postgres.stopImmediately();
      if (stage.isWithout('gateway.answers_after_commit')) await client.untilAccepted();
      else await untilRefused(client, 20);
      await stack.postgres.start();
      await client.untilAccepted();
    }
    const stuck = await stage.untilAtRest(client.accepted);
    await untilStreamEmpty(stack);
    const good = client.refusals.filter(({ status, retryAfter }) => status === 503 && Number(retryAfter) > 0);
    return {
      stuck,
      badRefusals: client.refusals.length - good.length,
      ended: await ended(),
      ...(await weigh(stack, client, before)),
    };
  },

  check({ badRefusals, ended, unanswered, ...submitted }) {
    expect(ended).toEqual([]);
    expect(badRefusals).toBe(0);
    expect(unanswered).toBe(0);
    const { verdict, stuck, falselyAccepted, twoAnswers, surplus } = submitted;
    expect({ stuck, falselyAccepted, twoAnswers, surplus }).toEqual({
      stuck: 0,
      falselyAccepted: 0,
      twoAnswers: 0,
      surplus: 0,
    });
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['gateway.answers_after_commit'],
      outcome: 'a job was accepted that is not there',
      red: ({ falselyAccepted }) => expect(falselyAccepted).toBeGreaterThan(0),
    },
  ],
};
