import { spawnSync } from 'node:child_process';
import { differingTotals, storedTotals } from '../support/figures';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';

const PIPELINES = `
retry: { max_retries: 1, back_off_seconds: 0.1 }
pipelines:
  short: { steps: [{ name: one, uses: noop, options: { duration_ms: 5 } }, { name: two, uses: noop }] }
  flaky: { steps: [{ name: one, uses: noop, options: { fail_attempts: 1 } }] }
  bad: { steps: [{ name: one, uses: noop, options: { fail_attempts: 9 } }] }
`;
const START_LIMIT_MS = 180_000;
const LIMIT_MS = 180_000;

let stack: TestStack;
beforeAll(async () => {
  // Minutes are compared long after the test: what is right is so by what was sent.
  stack = await TestStack.start({ pipelines: PIPELINES, env: { SLUICE_INTERNAL_ROLLUP_COMPARE: '1h' } });
}, START_LIMIT_MS);
afterAll(() => stack.stop(), START_LIMIT_MS);

async function submit(count: number): Promise<void> {
  const names = ['short', 'flaky', 'bad'];
  const jobs = Array.from({ length: count }, (_, nth) => ({ pipeline: names[nth % names.length] }));
  const response = await fetch(`${stack.url}/v1/ingest/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jobs }),
  });
  expect(response.status).toBe(202);
}

const untilAllEnded = (): Promise<unknown> =>
  until(async () => (await stack.query('SELECT FROM jobs WHERE completed_at IS NULL LIMIT 1')).length === 0, {
    ...{ deadlineMs: 60_000, what: 'the end of all jobs' },
  });

/** What was not yet sent, or not yet added, comes within seconds. */
const untilRight = (): Promise<unknown> =>
  until(async () => (await differingTotals(stack)).length === 0, {
    deadlineMs: 30_000,
    what: 'the totals of Postgres',
  });

const metricsText = async (): Promise<string> => (await fetch(`${stack.metrics.url}/metrics`)).text();

it(
  'gives Prometheus what Postgres has of attempts and jobs',
  async () => {
    await submit(30);
    await untilAllEnded();
    await untilRight();
    expect(await storedTotals(stack)).toMatchObject({
      'short/one/completed': 10,
      'bad/one/failed': 20,
      'bad/failed': 10,
    });
    const text = await metricsText();
    for (const line of [
      'sluice_jobs{status="completed"} 20',
      'sluice_jobs{status="scheduled"} 0',
      'sluice_step_retries_total{pipeline="bad",step="one",kind="transient"} 10',
      'sluice_step_duration_seconds_count{pipeline="short",step="one"} 10',
      'sluice_step_duration_seconds_bucket{pipeline="short",step="one",le="0.002"} 0',
      'sluice_step_memory_bytes_bucket{pipeline="short",step="two",le="+Inf"} 10',
      'sluice_job_duration_seconds_count{pipeline="bad",status="failed"} 10',
      'sluice_job_wait_seconds_count{pipeline="flaky"} 10',
      'sluice_queue_depth{queue="default",state="running"} 0',
      'sluice_oldest_ready_seconds{queue="default"} 0',
      'sluice_workers 1',
      'sluice_dead_letters 10',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/^sluice_telemetry_age_seconds [0-9.e-]+$/m);
  },
  LIMIT_MS,
);

it(
  'has figures and labels that promtool finds nothing to say about',
  async () => {
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: await metricsText(), encoding: 'utf8' });
    if (checked.error) {
      process.stderr.write('promtool check metrics: not run, there is no promtool (Debian: prometheus)\n');
      return;
    }
    expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', '']);
  },
  LIMIT_MS,
);

it(
  'neither loses nor doubles anything when it is killed and started again under load',
  async () => {
    await submit(150);
    await until(async () => (await stack.query('SELECT FROM attempts OFFSET 80 LIMIT 1')).length > 0, {
      deadlineMs: 60_000,
    });
    await stack.metrics.kill();
    await stack.metrics.start();
    await untilAllEnded();
    await untilRight();
  },
  LIMIT_MS,
);
