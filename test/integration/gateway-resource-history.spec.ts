import { type ResourceHistory, resourceHistory } from '#shared/contracts/resource-history';
import { StepUsage } from '#shared/domain/usage/step-usage';
import { JobUsage } from '#shared/domain/usage/job-usage';
import { Sketch } from '#shared/domain/usage/sketch';
import { migrate } from '#shared/store/migrate';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { startTestPostgres, type TestPostgres } from '../support/test-postgres';
import { GatewayStage } from './gateway-stage';

const PATH = '/v1/ingest/resource_history';

let postgres: TestPostgres;
let nats: TestNats;
let stage: GatewayStage;
/** Of the database's clock; the minute may turn while the spec runs. */
let thisMinute: string;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startTestPostgres(), startTestNats()]);
  await migrate(postgres.url);
  stage = await GatewayStage.start({ database: postgres, nats });
  const [clock] = await postgres.query<{ minute: string }>(`SELECT date_trunc('minute', now())::text AS minute`);
  thisMinute = clock?.minute ?? '';
});
afterAll(async () => {
  await stage.stop();
  await nats.stop();
  await postgres.drop();
  expect(stage.lines.filter((line) => line.includes('a call failed'))).toEqual([]);
});

/** A roll-up as the metrics service keeps them. @param minutesAgo null: of what was folded */
async function keep(
  minutesAgo: number | null,
  kind: string,
  name: string,
  data: StepUsage | JobUsage | Sketch,
): Promise<void> {
  await postgres.query(
    `INSERT INTO rollups (minute, kind, pipeline, name, data)
     VALUES (CASE WHEN $1::int IS NULL THEN '-infinity' ELSE $5::timestamptz - $1 * interval '1 minute' END,
             $2, 'chain', $3, $4)`,
    [minutesAgo, kind, name, JSON.stringify(data), thisMinute],
  );
}

function usageOf(durationMs: number, outcome: 'completed' | 'failed' = 'completed'): StepUsage {
  const usage = new StepUsage();
  const retried = outcome === 'failed' ? 'transient' : null;
  usage.observe({ outcome, retried, durationMs, cpuPercent: 25, memoryMb: 64 });
  return usage;
}

function jobsOf(durationMs: number): JobUsage {
  const usage = new JobUsage();
  usage.jobs = 1;
  usage.durationMs.observe(durationMs);
  return usage;
}

function sketchOf(value: number): Sketch {
  const sketch = new Sketch();
  sketch.observe(value);
  return sketch;
}

/** The answer, which is one of the contract and comes within a second: of a few, as the machine may be slow. */
async function ask(isWanted: (answer: ResourceHistory) => boolean): Promise<ResourceHistory> {
  return until(
    async () => {
      const startedAtMs = performance.now();
      const { status, body } = await stage.get<ResourceHistory>(PATH);
      const tookMs = performance.now() - startedAtMs;
      expect(status).toBe(200);
      expect(resourceHistory.parse(body)).toEqual(body);
      return tookMs < 1_000 && isWanted(body) ? body : null;
    },
    { what: 'the history that is wanted, within a second', deadlineMs: 20_000, everyMs: 100 },
  );
}

it('tells of sixty minutes without anything of a fleet that has done nothing', async () => {
  const empty = await ask(({ stale }) => !stale);
  expect(empty).toMatchObject({ window_seconds: 3_600, duration_seconds_p95: null, steps: [], steps_left_out: 0 });
  expect(empty.minutes).toHaveLength(60);
});

it('tells of each minute of the hour what is kept of it, and of none before', async () => {
  await keep(0, 'job', 'completed', jobsOf(4_000));
  await keep(3, 'step', 'a', usageOf(2_000, 'failed'));
  await keep(3, 'step', 'b', usageOf(1_000));
  await keep(3, 'job', 'failed', jobsOf(3_000));
  await keep(3, 'wait', '', sketchOf(250));
  for (const minutesAgo of [65, null]) await keep(minutesAgo, 'step', 'old', usageOf(60_000));
  const told = await ask(({ steps }) => steps.length > 0);
  expect(told.steps).toEqual(['chain/a', 'chain/b']);
  expect(told).toMatchObject({ wait_seconds_p95: 0.25, duration_seconds_p95: 4, steps_left_out: 0 });
  const busy = told.minutes.filter(({ steps }) => Object.keys(steps).length > 0);
  expect(busy).toMatchObject([
    {
      jobs: { completed: 0, failed: 1, cancelled: 0 },
      ...{ wait_seconds_p95: 0.25, duration_seconds_p95: 3 },
      steps: {
        'chain/a': { attempts: 1, failures: 1, retries: 1, duration_seconds: { p95: 2 }, memory_mb: { max: 64 } },
        'chain/b': { attempts: 1, failures: 0, retries: 0, duration_seconds: { p95: 1 }, cpu_percent: { avg: 25 } },
      },
    },
  ]);
  const completed = told.minutes.find(({ jobs }) => jobs.completed === 1);
  expect(Date.parse(completed?.at ?? '') - Date.parse(busy[0]?.at ?? '')).toBe(180_000);
});

it('takes no parameters', async () => {
  expect((await stage.get(`${PATH}?window=1`)).status).toBe(422);
});

it('comes within a second without Postgres, as it was known last', async () => {
  const before = await ask(({ stale }) => !stale);
  await postgres.stopImmediately();
  const without = await ask(({ stale }) => stale);
  expect(without.minutes.filter(({ steps }) => 'chain/a' in steps)).toEqual(
    before.minutes.filter(({ steps }) => 'chain/a' in steps),
  );
  const early = await GatewayStage.start({ database: postgres, nats, ready: false });
  try {
    const { status, body } = await early.get<ResourceHistory>(PATH);
    expect([status, body.stale, body.minutes]).toEqual([200, true, []]);
  } finally {
    await postgres.start();
    await early.stop();
  }
  await ask(({ stale }) => !stale);
});
