import type { ResourceStatus } from '#shared/contracts/resource-status';
import { resourceStatusOf } from '#shared/contracts/resource-status-of';
import { FakeGateway } from './fake-gateway';
import { JOB_ID } from './sample-job';
import { sluice } from './terminal';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await FakeGateway.start();
});
afterEach(() => gateway.stop());

const run = (...line: string[]) => sluice(gateway.url, line);

/** The lines of a text as cells. */
const cells = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

const EMPTY = resourceStatusOf({ usage: null, fleet: null, workers: [] }, false);
const SPREAD = { avg: 1.5, min: 0.5, max: 125, p50: 1, p95: 3, p99: 100 };
const STEP = {
  ...{ attempts: 12, failures: 2, retries: 1, duration_seconds: SPREAD },
  cpu_percent: { avg: 50.04, min: 1, max: 99 },
  memory_mb: { avg: 80, min: 70, max: 90 },
};
const HOLDERS = ['a', 'b', 'c'].map((step) => ({ job_id: JOB_ID, step, tokens: 1 }));

const BUSY: ResourceStatus = {
  ...EMPTY,
  tokens: { available_tokens: 1, max_tokens: 4, pools: { llm: { available: 1, max: 4, held_by: HOLDERS } } },
  limits: { 'repository/filesystem': { available: 2, max: 2, held_by: [] } },
  metrics: {
    ...EMPTY.metrics,
    ...{ job_count: 20, duration_seconds: SPREAD, steps: { filesystem: STEP } },
    pipelines: {
      repository: {
        ...{ job_count: 20, failed: 1, duration_seconds: SPREAD, wait_seconds: SPREAD },
        steps: { filesystem: STEP },
      },
    },
  },
  jobs: { ...EMPTY.jobs, running: 3, completed: 17 },
  queues: {
    default: { ready: 5, running: 3, retrying: 1, oldest_ready_seconds: 75 },
    heavy: { ready: null, running: 0, retrying: 0, oldest_ready_seconds: null },
  },
  workers: [
    {
      ...{ id: 'w1', name: 'host-1', version: '0.1.0', status: 'gone', last_seen: '2030-01-31T12:00:01.000Z' },
      ...{ running: 0, capacity: 50, cpu_percent: null, memory_mb: 80 },
    },
  ],
};

describe('resources', () => {
  test('are tables of steps, queues, tokens, limits, workers and jobs', async () => {
    gateway.answers = () => ({ body: BUSY });
    const { code, out, err } = await run('resources');
    expect([code, err, gateway.calls[0]?.path]).toEqual([0, '', '/v1/ingest/resource_status']);
    expect(out).toContain('20 jobs ended in the last 1 h 00 min; they took 1.5s on average, 95 % at most 3.0s.');
    const lines = cells(out);
    expect(lines).toEqual(
      expect.arrayContaining([
        ['repository', 'filesystem', '12', '2', '1', '1.5s', '1.0s', '3.0s', '2m 05s', '50.0 %', '90.0 MB'],
        ['default', '5', '3', '1', '1m 15s'],
        ['heavy', '?', '0', '0', '-'],
        ['llm', '1/4', `a of ${JOB_ID}, b of ${JOB_ID} and 1 more`],
        ['repository/filesystem', '2/2', '-'],
        ['host-1', 'gone', '0/50', '-', '-', expect.stringContaining('2030-01-31')],
        ['running', '3'],
        ['completed', '17'],
      ]),
    );
    expect(lines).not.toContainEqual(['failed', '0']);
  });

  test('of an empty fleet say so', async () => {
    gateway.answers = () => ({ body: EMPTY });
    const { code, out } = await run('resources');
    expect(code).toBe(0);
    expect(out).toContain('No job ended in the last 1 h 00 min.');
    expect(out).toContain('No workers.');
  });

  test('that are stale come with what to do', async () => {
    gateway.answers = () => ({ body: { ...BUSY, stale: true } });
    const { code, out, err } = await run('resources', '-o', 'json');
    expect([code, JSON.parse(out)]).toEqual([0, { ...BUSY, stale: true }]);
    expect(err).toContain('The metrics service does not answer');
    expect(err).toContain('npm run start:metrics');
  });

  test('as a line, and as ids', async () => {
    gateway.answers = () => ({ body: BUSY });
    expect(JSON.parse((await run('resources', '-o', 'jsonl')).out)).toEqual(BUSY);
    expect((await run('resources', '-o', 'ids')).out).toBe('w1\n');
  });
});

describe('ingest delete', () => {
  const GONE = { status: 204, body: undefined };
  const OTHER = JOB_ID.replace(/.$/, 'e');
  const problem = (status: number, detail: string) => ({
    status,
    body: { type: 'about:blank', title: 'No', status, detail },
  });

  test('deletes several, and prints those that are gone', async () => {
    gateway.answers = () => GONE;
    const { code, out, err } = await run('ingest', 'delete', JOB_ID, OTHER, '-o', 'ids');
    expect([code, out, err]).toEqual([0, `${JOB_ID}\n${OTHER}\n`, '2 jobs deleted.\n']);
    expect(gateway.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `DELETE /v1/ingest/${JOB_ID}`,
      `DELETE /v1/ingest/${OTHER}`,
    ]);
  });

  test.each([
    [409, 1, 'The job is running: cancel it first.'],
    [404, 4, 'There is no such job.'],
  ])('one that is refused with %s keeps none of the others from it', async (status, expected, detail) => {
    gateway.answers = ({ path }) => (path.endsWith(JOB_ID) ? problem(status, detail) : GONE);
    const { code, out, err } = await run('ingest', 'delete', JOB_ID, OTHER, '-o', 'ids');
    expect([code, out]).toEqual([expected, `${OTHER}\n`]);
    expect(err).toContain(`${JOB_ID}: `);
    expect(err).toContain(detail);
  });

  test('gives up when the gateway is in trouble', async () => {
    gateway.answers = () => problem(503, 'The database cannot be reached now.');
    const { code } = await run('ingest', 'delete', JOB_ID, OTHER);
    expect([code, gateway.calls.length]).toEqual([1, 1]);
  });
});
