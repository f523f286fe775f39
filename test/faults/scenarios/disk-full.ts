import { until } from '../../support/poll';
import { mountSmallDisk, type SmallDisk } from '../../support/small-disk';
import { KeyedClient } from '../keyed-client';
import { messagesLeft, SPOTLESS, submitMany, untilStreamEmpty } from '../oracle';
import { untilReadiness } from '../readiness';
import { NotRunHere, type Scenario } from '../scenario';
import { countJobs, type Submitted, weigh } from './submissions';

interface Findings extends Submitted {
  readonly badRefusals: number;
  readonly ended: readonly string[];
}

const WHY_NOT = 'a small tmpfs needs root, or `unshare -Urm`';
const POSTGRES_MB = 320;
const NATS_MB = 48;
/** More than what is free in the pages of a table that has hardly any rows. */
const LARGE_INPUT = { text: 'x'.repeat(1_500) };

let disk: SmallDisk | null = null;

async function diskOf(megabytes: number): Promise<SmallDisk> {
  disk = await mountSmallDisk(megabytes);
  if (!disk) throw new NotRunHere(WHY_NOT);
  return disk;
}

async function removeDisk(): Promise<void> {
  await disk?.remove();
  disk = null;
}

/** Row 20, Postgres. */
export const postgresDiskFull: Scenario<Findings> = {
  row: 20,
  title: 'the disk of Postgres fills up',
  stack: async () => ({
    workers: 2,
    ownPostgres: true,
    postgresUnder: (await diskOf(POSTGRES_MB)).folder,
  }),
  cleanUp: removeDisk,
  limitMs: 180_000,

  async provoke(stage, { size }) {
    const { stack, isControl } = stage;
    if (!disk) throw new Error('there is no small disk');
    const before = await countJobs(stack);
    const ended = stage.watchLives();
    const client = new KeyedClient(stack.url, `row-20-${before}`, 'three', LARGE_INPUT);
    client.send(50);
    await client.untilAccepted();
    for (let round = 0; round < Math.min(size, 3); round += 1) {
      await disk.fill();
      const refused = client.refusals.length;
      client.send(400);
      if (isControl) await until(() => client.jobs.every(({ ids }) => ids.length > 0), { deadlineMs: 30_000 });
      else await until(() => client.refusals.length > refused + 50, { deadlineMs: 30_000, what: 'a full disk' });
      await disk.free();
      // It may have given up by itself; what is to heal without a restart are the services.
      if (!(await stack.postgres.isRunning())) await stack.postgres.start();
      await client.untilAccepted();
    }
    const stuck = isControl ? 0 : await stage.untilAtRest(client.accepted);
    const good = client.refusals.filter(({ status, retryAfter }) => status === 503 && Number(retryAfter) > 0);
    return {
      stuck,
      badRefusals: client.refusals.length - good.length,
      ended: await ended(),
      ...(await weigh(stack, client, before)),
    };
  },

  check: ({ stuck, verdict, unanswered, ...counts }) => {
    expect(unanswered).toBe(0);
    expect(counts).toEqual({ badRefusals: 0, ended: [], falselyAccepted: 0, twoAnswers: 0, surplus: 0 });
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['gateway.answers_after_commit'],
      outcome: 'jobs were accepted that found no room',
      red: ({ falselyAccepted }) => expect(falselyAccepted).toBeGreaterThan(0),
    },
  ],
};

/** Row 20, NATS. */
export const natsDiskFull: Scenario<Findings> = {
  row: 20,
  title: 'the disk of NATS fills up',
  stack: async () => ({
    workers: 2,
    natsUnder: (await diskOf(NATS_MB)).folder,
  }),
  cleanUp: removeDisk,
  limitMs: 180_000,

  async provoke(stage) {
    const { stack } = stage;
    if (!disk) throw new Error('there is no small disk');
    const before = await countJobs(stack);
    const services = [stack.gateway, stack.scheduler, ...stack.workers];
    const ended = stage.watchLives();
    const client = new KeyedClient(stack.url, `row-20-nats-${before}`, 'three');
    for (const worker of stack.workers) worker.signal('SIGSTOP'); // so that messages pile up
    await submitMany(stack, 200);
    await until(async () => (await messagesLeft(stack)) >= 200, { what: 'messages on the disk' });
    await disk.fill();
    client.send(400);
    await client.untilAccepted();
    const refused = (): boolean => stack.gateway.lines.some((line) => line.includes('turns were not taken by NATS'));
    await until(refused, { deadlineMs: 30_000, what: 'publishes that found no room' });
    for (const worker of stack.workers) worker.signal('SIGCONT');
    await disk.free();
    // A server that has run out of room goes on only after a restart; the services are not touched.
    await stack.nats.kill();
    await stack.nats.start();
    await untilReadiness(
      services.map((service) => [service, 200, 'ok']),
      20_000,
    );
    const stuck = await stage.untilAtRest(client.accepted);
    if (stuck === 0) await untilStreamEmpty(stack);
    return {
      stuck,
      badRefusals: client.refusals.length,
      ended: await ended(),
      ...(await weigh(stack, client, before + 200)),
    };
  },

  check: postgresDiskFull.check,

  controls: [
    {
      guards: ['scheduler.sweeps'],
      outcome: 'jobs whose turns found no room are stuck',
      red: ({ stuck }) => expect(stuck).toBeGreaterThan(0),
    },
  ],
};
