import { MetricsModule } from '../../apps/metrics/src/metrics.module';
import { resourceStatus, type ResourceStatus } from '#shared/contracts/resource-status';
import { loadConfig } from '#shared/runtime/config';
import { Drain } from '#shared/runtime/drain';
import { createLogger } from '#shared/runtime/logger';
import { startService } from '#shared/runtime/service';
import { migrate } from '#shared/store/migrate';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { startTestPostgres, type TestPostgres } from '../support/test-postgres';
import { GatewayStage } from './gateway-stage';
import { PretendWorker } from './pretend-worker';

const log = createLogger({ service: 'test', level: 'silent' });

let postgres: TestPostgres;
let nats: TestNats;
let stage: GatewayStage;
let metrics: Drain | undefined;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startTestPostgres(), startTestNats()]);
  await migrate(postgres.url);
});
afterAll(async () => {
  await nats.stop();
  await postgres.drop();
});

beforeEach(async () => {
  stage = await GatewayStage.start({ database: postgres, nats });
  await startMetrics();
});
afterEach(async () => {
  await stopMetrics();
  await stage.stop();
  expect(stage.lines.filter((line) => line.includes('a call failed'))).toEqual([]);
});

/** The service itself, in this process. */
async function startMetrics(): Promise<void> {
  const env = { DATABASE_URL: postgres.url, NATS_URL: nats.url, PORT: '0', SLUICE_GRACE: '1s' };
  const config = loadConfig('metrics', env);
  metrics = new Drain({ log, graceMs: config.graceMs });
  await startService(
    { service: 'metrics', module: (context) => MetricsModule.with(context) },
    { config, log, drain: metrics },
  );
}

async function stopMetrics(): Promise<void> {
  await metrics?.run('no longer needed');
  metrics = undefined;
}

async function ask(): Promise<ResourceStatus> {
  const { status, body } = await stage.get<ResourceStatus>('/v1/ingest/resource_status');
  expect(status).toBe(200);
  expect(resourceStatus.parse(body)).toEqual(body);
  return body;
}

/** How long the answer takes at most, of a few: any may be slow because the machine is. */
async function askQuickly(): Promise<ResourceStatus> {
  return until(
    async () => {
      const startedAtMs = performance.now();
      const answer = await ask();
      return performance.now() - startedAtMs < 1_000 ? answer : null;
    },
    { what: 'an answer within a second', deadlineMs: 20_000, everyMs: 100 },
  );
}

const untilFresh = (): Promise<ResourceStatus> =>
  until(async () => ((answer) => (answer.stale ? null : answer))(await ask()), {
    what: 'the metrics service to answer',
    deadlineMs: 20_000,
  });

it('has the shape of the contract, of an empty fleet and of one at work', async () => {
  const empty = await untilFresh();
  expect(empty).toMatchObject({
    tokens: { available_tokens: 0, max_tokens: 0, pools: {} },
    metrics: { window_seconds: 3_600, job_count: 0, duration_seconds: { avg: null, p99: null }, steps: {} },
    jobs: { pending: 0, completed: 0 },
    queues: { default: { ready: 0, running: 0, retrying: 0, oldest_ready_seconds: null } },
    stale: false,
  });
  await postgres.query(`INSERT INTO pools VALUES ('resource:llm', 1, 4), ('step:wide/right', 0, 2)`);
  await stage.submit({ pipeline: 'chain' });
  const busy = await until(async () => ((answer) => (answer.jobs['pending'] === 1 ? answer : null))(await ask()), {
    deadlineMs: 20_000,
  });
  expect(busy).toMatchObject({
    tokens: { available_tokens: 3, max_tokens: 4, pools: { llm: { available: 3, max: 4, held_by: [] } } },
    limits: { 'wide/right': { available: 2, max: 2 } },
    queues: { default: { ready: 1 } },
  });
  expect(busy.queues['default']?.oldest_ready_seconds).toBeGreaterThanOrEqual(0);
});

it('counts jobs that ended, and is told by the gateway alone when the metrics service is away', async () => {
  const worker = await PretendWorker.start(postgres.url);
  const { body } = await stage.submit({ pipeline: 'chain', steps: ['a'] });
  await worker.complete(body.id);
  await worker.stop();
  await stopMetrics();
  const alone = await until(async () => ((answer) => (answer.jobs['completed'] === 1 ? answer : null))(await ask()), {
    deadlineMs: 20_000,
  });
  expect(alone.stale).toBe(true);
  expect(alone.queues).toHaveProperty('heavy');
  expect((await askQuickly()).stale).toBe(true);
});

it('takes no parameters', async () => {
  expect((await stage.get('/v1/ingest/resource_status?window=1')).status).toBe(422);
});

it('comes within a second without NATS, and without Postgres as it was known last', async () => {
  const before = await untilFresh();
  await nats.kill();
  const withoutNats = await askQuickly();
  expect(withoutNats).toMatchObject({ stale: true, jobs: before.jobs });
  await postgres.stopImmediately();
  const withoutBoth = await askQuickly();
  expect(withoutBoth).toMatchObject({ stale: true, jobs: before.jobs });
  await nats.start();
  const withoutPostgres = await askQuickly();
  expect(withoutPostgres).toMatchObject({ stale: true, jobs: before.jobs });
  await postgres.start();
  await untilFresh();
});

it('a gateway that never reached a server answers too, with nothing in it', async () => {
  await stopMetrics();
  await nats.kill();
  await postgres.stopImmediately();
  const early = await GatewayStage.start({ database: postgres, nats, ready: false });
  try {
    const { status, body } = await early.get<ResourceStatus>('/v1/ingest/resource_status');
    expect([status, body.stale, body.metrics.job_count, body.workers]).toEqual([200, true, 0, []]);
    expect(resourceStatus.parse(body)).toEqual(body);
  } finally {
    await nats.start();
    await postgres.start();
    await early.stop();
  }
});
