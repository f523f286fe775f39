import { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import { ensureTopology } from '#shared/bus/topology';
import { SCHEDULER_WAKE, wakeForDue, WORK_STREAM } from '#shared/contracts/subjects';
import type { WorkMessage } from '#shared/contracts/work-message';
import { loadConfig } from '#shared/runtime/config';
import { Drain } from '#shared/runtime/drain';
import { createLogger } from '#shared/runtime/logger';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { Database } from '#shared/store/database';
import { RELEASE_DUE } from '#shared/store/jobs/due-jobs';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { Scheduler } from '../../apps/scheduler/src/scheduler';
import { pipelineOf, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { TestLog } from './bus-stage';
import { holdJob, watched } from './core-connections';
import { type CoreStage, openStage } from './core-stage';

/* The scheduler on a Postgres and a nats-server, without the rest of it. */

let stage: CoreStage;
let nats: TestNats;
let bus: NatsBus;
let pipeline: StoredPipeline;
const running: { readonly scheduler: Scheduler; readonly bus: NatsBus }[] = [];
/** When each look at what is due was asked for. */
let looks: number[];

beforeAll(async () => {
  [stage, nats] = await Promise.all([openStage(), startTestNats()]);
  bus = await NatsBus.connect({ url: nats.url, name: 'delayed-spec', log: new TestLog() });
  pipeline = await stage.save(pipelineOf([stepNamed('a'), stepNamed('b', { needs: ['a'] })]));
});
afterAll(async () => {
  await bus.close(1_000);
  await nats.stop();
  await stage.close();
});
beforeEach(async () => {
  await ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 });
  looks = [];
});
afterEach(async () => {
  for (const each of running.splice(0)) {
    await each.scheduler.stop();
    await each.bus.close(1_000);
  }
  await (await bus.jetStream(2_000)).streams.purge(WORK_STREAM);
  await stage.server.query('TRUNCATE jobs');
});

async function startScheduler(): Promise<void> {
  const config = loadConfig('scheduler', { DATABASE_URL: stage.server.url, NATS_URL: nats.url });
  const log = createLogger({ service: 'scheduler', level: 'fatal', form: 'json', out: { write: () => undefined } });
  const own = await NatsBus.connect({ url: nats.url, name: 'scheduler', log: new TestLog() });
  const database = await stage.connect(10);
  const { createQueryRunner } = watched(database, ({ name, values }) => {
    if (name === RELEASE_DUE.name && Number(values[1]) > 0) looks.push(performance.now());
  });
  const catalog = { queues: ['default'], pipelines: new Map(), pools: new Map() } as unknown as PipelineCatalog;
  const context = { config, log, drain: new Drain({ log, graceMs: 1_000 }) };
  const seen = Object.create(database, {
    createQueryRunner: { value: createQueryRunner },
    initialize: { value: async () => database },
    query: { value: (sql: string, values: unknown[]) => database.query(sql, values) as unknown },
  }) as Database;
  const scheduler = new Scheduler(context, seen, own, catalog, new Map());
  running.push({ scheduler, bus: own });
  await scheduler.start();
  await until(() => scheduler.isTurning());
}

/** Held jobs that are due at random moments, so many seconds from now. @returns their ids */
async function putHeld(count: number, fromSeconds: number, toSeconds: number): Promise<string[]> {
  const rows = await stage.server.query<{ id: string }>(
    `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, due_at, eta)
     SELECT gen_random_uuid(), $2, 'tried', 'scheduled', 'default', 3, 1, due, due
     FROM (SELECT now() + ($3 + ($4::float8 - $3::float8) * random()) * interval '1 second' AS due
           FROM generate_series(1, $1::int)) AS held
     RETURNING id`,
    [count, pipeline.hash, fromSeconds, toSeconds],
  );
  return rows.map(({ id }) => id);
}

const statusOf = async (id: string): Promise<string | undefined> =>
  (await stage.server.query<{ status: string }>('SELECT status FROM jobs WHERE id = $1', [id]))[0]?.status;

/** The jobs of which the stream has turns, one for each message. */
async function turns(): Promise<string[]> {
  const { streams } = await bus.jetStream(2_000);
  const { state } = await streams.info(WORK_STREAM);
  const jobs: string[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    jobs.push((await streams.getMessage(WORK_STREAM, { seq })).json<WorkMessage>().job_id);
  }
  return jobs;
}

it('two schedulers release each job once and publish one turn of it, none before its time', async () => {
  await Promise.all([startScheduler(), startScheduler()]);
  const held = await putHeld(400, 0.3, 1.3);
  notify(bus, SCHEDULER_WAKE);
  await until(async () => (await (await bus.jetStream(2_000)).streams.info(WORK_STREAM)).state.messages >= 400);
  const [{ early = -1, late = Infinity, released = 0 } = {}] = await stage.server.query<Record<string, number>>(
    `SELECT count(*) FILTER (WHERE queued_at < eta)::int AS early, count(*)::int AS released,
            max(extract(epoch FROM queued_at - eta))::float8 AS late
     FROM jobs WHERE status = 'pending' AND version = 2`,
  );
  expect({ early, released }).toEqual({ early: 0, released: 400 });
  expect(late).toBeLessThan(1);
  expect((await turns()).sort()).toEqual(held.sort());
});

it('a job that is due earlier than all others starts in time, woken for; without the wake-up within a second or so', async () => {
  await startScheduler();
  await putHeld(1, 3_600, 3_600);
  for (const wakes of [true, false]) {
    const before = looks.length;
    await until(() => looks.length > before);
    const [id = ''] = await putHeld(1, 0.15, 0.15);
    if (wakes) notify(bus, SCHEDULER_WAKE, wakeForDue(new Date(Date.now() + 150).toISOString()));
    await until(async () => (await statusOf(id)) === 'pending');
    const [{ late = Infinity } = {}] = await stage.server.query<{ late: number }>(
      'SELECT extract(epoch FROM queued_at - eta)::float8 AS late FROM jobs WHERE id = $1',
      [id],
    );
    expect(late).toBeLessThan(wakes ? 0.5 : 1.6);
  }
});

it('a due job that somebody has locked does not make it look again and again, and starts soon after', async () => {
  await startScheduler();
  const [locked = ''] = await putHeld(1, 0.05, 0.05);
  const holder = await holdJob(stage.server, locked);
  const before = looks.length;
  const lockedAtMs = performance.now();
  notify(bus, SCHEDULER_WAKE);
  await until(() => performance.now() - lockedAtMs > 900);
  expect(looks.length - before).toBeGreaterThan(2);
  expect(looks.length - before).toBeLessThan(20);
  await holder.commit();
  await until(async () => (await turns()).includes(locked));
  expect(await turns()).toEqual([locked]);
});

it('jobs stay held while NATS is away, and start as soon as it is back, without the sweep', async () => {
  await startScheduler();
  await nats.kill();
  await until(() => running.every((each) => !each.bus.isConnected));
  const held = await putHeld(5, 0, 0.01);
  const before = looks.length;
  const awayAtMs = performance.now();
  await until(() => performance.now() - awayAtMs > 1_200);
  expect([looks.length - before, await statusOf(held[0] ?? '')]).toEqual([0, 'scheduled']);
  await nats.start();
  await until(async () => (await turns()).length === 5);
  expect((await turns()).sort()).toEqual(held.sort());
});
