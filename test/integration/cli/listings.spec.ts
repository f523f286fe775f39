import { readPipelineText } from '#shared/runtime/pipeline-file';
import { FakeGateway } from './fake-gateway';
import { COMPLETED, JOB_ID, RETRYING, sampleJob } from './sample-job';
import { sluice } from './terminal';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await FakeGateway.start();
});
afterEach(() => gateway.stop());

/** A table without the spaces that only align it. */
const cells = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

describe('status', () => {
  test('shows the job and its steps', async () => {
    gateway.answers = () => ({ body: RETRYING });
    const { code, out } = await sluice(gateway.url, ['ingest', 'status', JOB_ID]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Status +running, 55 %$/m);
    expect(out).toMatch(/^Tags +nightly, big$/m);
    expect(out).toMatch(/^Duration +9\.0s$/m);
    expect(cells(out).slice(-3)).toEqual([
      ['STEP', 'STATUS', 'PROGRESS', 'RETRIES', 'NEXT RETRY', 'DURATION', 'CPU', 'MEMORY', 'LAST ERROR'],
      ['filesystem', 'completed', '100 %', '0/3', '-', '1m 01s', '97.5 %', '210.2 MB', '-'],
      ['documentation', 'retrying', '10 %', '1/3', 'in 8.4s', '-', '-', '-', 'transient: no such host \\u001b[31mred'],
    ]);
  });

  test('a failed job is no failure of the question', async () => {
    gateway.answers = () => ({ body: sampleJob({ status: 'failed' }) });
    expect((await sluice(gateway.url, ['ingest', 'status', JOB_ID])).code).toBe(0);
  });

  test('says when a scheduled job starts', async () => {
    gateway.answers = () => ({ body: sampleJob({ status: 'scheduled', eta: '2030-01-31T12:01:10.000Z' }) });
    expect((await sluice(gateway.url, ['ingest', 'status', JOB_ID])).out).toMatch(
      /^Starts +in 1 min 00 s, at 20\d\d-/m,
    );
  });

  test('cuts long errors off on a narrow terminal, not in a pipe', async () => {
    const message = 'x'.repeat(300);
    const error = { message, kind: 'transient' as const, code: null, at: '2030-01-31T12:00:05.000Z', attempt: 1 };
    gateway.answers = () => ({
      body: { items: [sampleJob({ last_error: error })], next_cursor: null, has_more: false },
    });
    const line = ['ingest', 'jobs'];
    const narrow = await sluice(gateway.url, line, { tty: true, columns: 160, env: { NO_COLOR: '1' } });
    expect(Math.max(...narrow.out.split('\n').map((text) => text.length))).toBe(160);
    expect(narrow.out).toContain('xx…');
    expect((await sluice(gateway.url, line)).out).toContain(message);
  });
});

describe('jobs', () => {
  const page = (count: number, cursor: string | null) => ({
    body: {
      items: Array.from({ length: count }, () => COMPLETED),
      next_cursor: cursor,
      has_more: cursor !== null,
    },
  });

  test('hands its filters on', async () => {
    gateway.answers = () => page(0, null);
    const { code, out, err } = await sluice(gateway.url, [
      ...['ingest', 'jobs', '--status', 'running,retrying', '--status', 'failed'],
      ...['--pipeline', 'p', '--tag', 'a', '--schedule', 's', '--limit', '7'],
    ]);
    expect(gateway.calls[0]?.path).toBe(
      '/v1/ingest?status=running&status=retrying&status=failed&pipeline=p&tag=a&schedule_id=s&limit=7',
    );
    expect([code, out, err]).toEqual([0, '', 'No jobs.\n']);
  });

  test('is a table, and says that there are more', async () => {
    gateway.answers = () => page(2, 'next');
    const { out, err } = await sluice(gateway.url, ['ingest', 'jobs', '-n', '2']);
    expect(cells(out)[0]).toEqual([
      'JOB',
      'PIPELINE',
      'STATUS',
      'PROGRESS',
      'RETRIES',
      'NEXT',
      'DURATION',
      'CREATED',
      'LAST ERROR',
    ]);
    expect(cells(out)[1]?.slice(0, 7)).toEqual([JOB_ID, 'repository', 'completed', '100 %', '0/6', '-', '3.2s']);
    expect(err).toContain('There are more');
  });

  test('pages on until there are as many as were asked for', async () => {
    gateway.answers = ({ path }) => page(path.includes('limit=200') ? 200 : 50, 'on');
    const { out } = await sluice(gateway.url, ['ingest', 'jobs', '--limit', '450', '-o', 'ids']);
    expect(out.trimEnd().split('\n')).toHaveLength(450);
    expect(gateway.calls.map(({ path }) => path)).toEqual([
      '/v1/ingest?limit=200',
      '/v1/ingest?limit=200&cursor=on',
      '/v1/ingest?limit=50&cursor=on',
    ]);
  });

  test('-o json gives the whole answer', async () => {
    gateway.answers = () => page(1, 'more');
    const { out } = await sluice(gateway.url, ['ingest', 'jobs', '--limit', '1', '-o', 'json']);
    expect(JSON.parse(out)).toEqual({ items: [COMPLETED], next_cursor: 'more', has_more: true });
  });
});

test('attempts', async () => {
  const attempt = { step: 'filesystem', number: 1, worker: 'w1', started_at: '2030-01-31T12:00:01.000Z' };
  const ended = { finished_at: '2030-01-31T12:00:02.000Z', outcome: 'failed', duration_ms: 1000, cpu_percent: 12.34 };
  const error = { message: 'no', kind: 'transient', code: null };
  gateway.answers = () => ({
    body: { items: [{ ...attempt, ...ended, memory_mb: 80, error, next_delay_ms: 10_000 }] },
  });
  const { out } = await sluice(gateway.url, ['ingest', 'attempts', JOB_ID]);
  expect(gateway.calls[0]?.path).toBe(`/v1/ingest/${JOB_ID}/attempts`);
  const row = cells(out)[1] ?? [];
  expect(row.slice(0, 3)).toEqual(['filesystem', '1', 'failed']);
  expect(row.slice(4)).toEqual(['1.0s', '12.3 %', '80.0 MB', '10.0s', 'w1', 'transient: no']);
});

test('search', async () => {
  const hit = {
    repository_id: 'r',
    kind: 'heading',
    path: 'docs/a b.md',
    name: 'Retry',
    snippet: 'the **retry** policy',
    rank: 0.5,
  };
  gateway.answers = () => ({ body: { items: [hit] } });
  const { out } = await sluice(gateway.url, ['search', 'retry', 'policy', '--kind', 'heading', '-r', 'r', '-n', '3']);
  expect(gateway.calls[0]?.path).toBe('/v1/search?q=retry+policy&limit=3&kind=heading&repository=r');
  expect(cells(out)[1]).toEqual(['heading', 'docs/a b.md', 'Retry', 'the **retry** policy']);
  expect((await sluice(gateway.url, ['search', 'retry', '-o', 'ids'])).out).toBe('docs/a b.md\n');
  expect((await sluice(gateway.url, ['search', 'retry'], { tty: true })).out).toContain(
    'the \u001b[1mretry\u001b[22m policy',
  );
});

test('workers', async () => {
  const worker = {
    id: 'w1',
    name: 'host-1',
    version: '0.1.0',
    queues: ['default'],
    status: 'alive',
    last_seen: '2030-01-31T12:00:01.000Z',
    running: 3,
    capacity: 50,
  };
  gateway.answers = () => ({ body: { items: [{ ...worker, cpu_percent: 50, memory_mb: null }] } });
  const { out } = await sluice(gateway.url, ['workers']);
  expect(cells(out)[1]?.slice(0, 5)).toEqual(['w1', 'alive', '3/50', '50.0 %', '-']);
  expect(cells(out)[1]?.at(-1)).toBe('0.1.0');
});

test('pipelines', async () => {
  const steps = '[{ name: a, uses: noop }, { name: b, uses: noop }]';
  const { pipelines } = readPipelineText(`pipelines: { p: { description: Why., steps: ${steps} } }`, 'f');
  gateway.answers = () => ({ body: { items: [...pipelines.values()] } });
  const { out } = await sluice(gateway.url, ['pipelines']);
  expect(cells(out)[1]).toEqual(['p', 'optional', 'a, b (after a)', 'Why.']);
});
