import type { ScheduleView } from '#shared/contracts/schedule';
import { type Call, FakeGateway } from './fake-gateway';
import { JOB_ID, sampleJob } from './sample-job';
import { type Ended, NOW, sluice } from './terminal';

const ID = '0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d';
const ONE_MORE = '0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3e';

const inMs = (ms: number): string => new Date(NOW + ms).toISOString();
const schedule = (more: Partial<ScheduleView> = {}): ScheduleView => ({
  ...{ id: ID, cron: '0 3 * * *', cron_text: 'At 03:00', timezone: 'Europe/Berlin', job: { pipeline: 'nightly' } },
  ...{ enabled: true, overlap: 'skip', catch_up: 'last', description: null },
  next_runs: [12_000_000, 98_400_000].map(inMs),
  last_jobs: [{ id: JOB_ID, status: 'failed', due_at: inMs(-80_000_000), created_at: inMs(-79_999_000) }],
  ...{ skipped_count: 0, last_skipped_at: null, missed_count: 0, last_error: null },
  ...{ created_at: inMs(-1e9), updated_at: inMs(-1e9) },
  ...more,
});
const page = (items: ScheduleView[], cursor: string | null = null) => ({
  body: { items, next_cursor: cursor, has_more: cursor !== null },
});

let gateway: FakeGateway;
beforeAll(async () => {
  gateway = await FakeGateway.start();
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.calls.length = 0;
  gateway.answers = () => ({ body: schedule() });
});

const run = (...line: string[]): Promise<Ended> => sluice(gateway.url, ['schedules', ...line], { columns: 200 });
const called = (): string[] => gateway.calls.map(({ method, path }) => `${method} ${path}`);
const bodies = (): unknown[] => gateway.calls.map(({ body }) => body).filter((body) => body !== undefined);
const cells = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/));

describe('schedules', () => {
  test.each([[[]], [['list']]])('%j lists them: in words, with the next run and the last job', async (line) => {
    gateway.answers = () => page([schedule(), schedule({ enabled: false, next_runs: [], last_jobs: [] })]);
    const { code, out } = await run(...line);
    expect([code, called()]).toEqual([0, ['GET /v1/schedules?limit=50']]);
    expect(cells(out)).toEqual([
      ['SCHEDULE', 'WHEN', 'ZONE', 'NEXT RUN', 'PIPELINE', 'LAST JOB', 'STATUS', 'NOTES'],
      [ID, 'At 03:00', 'Europe/Berlin', 'in 3h 20m', 'nightly', JOB_ID, 'failed', '-'],
      [ID, 'At 03:00', 'Europe/Berlin', 'disabled', 'nightly', '-', '-', '-'],
    ]);
    expect((await run(...line, '-o', 'ids')).out).toBe(`${ID}\n${ID}\n`);
  });

  test('tells what went wrong until a later run went well', async () => {
    const last_error = { message: 'job.pipeline: gone\u001b[2J', due_at: inMs(-1_000), at: inMs(-1_000) };
    gateway.answers = () => page([schedule({ last_error, skipped_count: 3 })]);
    expect(cells((await run()).out)[1]?.at(-1)).toBe('no run: job.pipeline: gone\\u001b[2J; 3 skipped');
    const [job] = schedule().last_jobs;
    gateway.answers = () => page([schedule({ last_error, last_jobs: job ? [{ ...job, created_at: inMs(-10) }] : [] })]);
    expect(cells((await run()).out)[1]?.at(-1)).toBe('-');
  });

  test('pages, hands its filters on, and prints what a program reads', async () => {
    gateway.answers = ({ path }) =>
      page(Array(path.includes('limit=200') ? 200 : 3).fill(schedule()) as ScheduleView[], 'on');
    const { out, err } = await run('list', '--disabled', '-n', '203', '-o', 'jsonl');
    expect(out.trimEnd().split('\n')).toHaveLength(203);
    expect([err, called()]).toEqual([
      '',
      ['GET /v1/schedules?enabled=false&limit=200', 'GET /v1/schedules?enabled=false&limit=3&cursor=on'],
    ]);
    gateway.answers = () => page([]);
    expect(await run()).toEqual({
      ...{ code: 0, out: '', err: 'No schedules. To make one: sluice schedules create --help\n' },
    });
    expect((await run('list', '--enabled', '--disabled')).code).toBe(2);
  });

  test('show: its job, its next runs, its last jobs', async () => {
    const detail = schedule({ missed_count: 2, skipped_count: 1, last_skipped_at: inMs(-5_000), description: 'why' });
    gateway.answers = () => ({ body: detail });
    const { code, out } = await run('show', ID);
    expect([code, called()]).toEqual([0, [`GET /v1/schedules/${ID}`]]);
    expect(out).toMatch(/When +At 03:00 \(0 3 \* \* \*\)\nZone +Europe\/Berlin\nAbout +why\n/);
    expect(out).toMatch(
      /Skipped +1 run, the last one due .*\nMissed +2 runs\nNext .*\(in 3h 20m\)\n +\S+ \S+ \(in 1d 03h\)/,
    );
    expect(
      cells(out)
        .slice(-2)
        .map((row) => row.slice(0, 2)),
    ).toEqual([
      ['LAST JOBS', 'STATUS'],
      [JOB_ID, 'failed'],
    ]);
    expect(JSON.parse((await run('show', ID, '-o', 'json')).out)).toEqual(detail);
  });
});

describe('schedules create', () => {
  test('sends what was said, and no more; says in plain words when it runs next', async () => {
    const { code, out, err } = await run('create', '.', '--cron', '0 3 * * *');
    expect([code, called()]).toEqual([0, ['POST /v1/schedules']]);
    expect(bodies()).toEqual([{ cron: '0 3 * * *', job: { source: '/somewhere' } }]);
    expect(out).toContain(ID);
    expect(err).toMatch(
      /^At 03:00 \(Europe\/Berlin\): runs next in 3h 20m, at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d local time\.\n$/,
    );
  });

  test('with everything that a schedule and its job may have', async () => {
    const ofJob = ['--pipeline', 'p', '--priority', 'low', '--steps', 'a,b', '--option', 'a.x=1', '--input', '{"n":1}'];
    const ofSchedule = [
      '-c',
      '* * * * *',
      '-z',
      'Asia/Kolkata',
      '--overlap',
      'queue',
      '--catch-up',
      'none',
      '--disabled',
    ];
    const words = ['--tag', 't', '--tag', 'u', '--description', 'of it', '--job-description', 'of its jobs'];
    await run('create', '/src', ...ofJob, ...ofSchedule, ...words);
    expect(bodies()).toEqual([
      {
        ...{ cron: '* * * * *', timezone: 'Asia/Kolkata', overlap: 'queue', catch_up: 'none', enabled: false },
        description: 'of it',
        job: {
          ...{ source: '/src', pipeline: 'p', priority: 'low', steps: ['a', 'b'], options: { a: { x: 1 } } },
          ...{ input: { n: 1 }, tags: ['t', 'u'], description: 'of its jobs' },
        },
      },
    ]);
  });

  test('says what hardly was meant, and how a disabled one is let go', async () => {
    gateway.answers = () => ({ status: 201, body: schedule({ catch_up: 'all', enabled: false, next_runs: [] }) });
    const { err } = await run('create', '-c', '0 3 * * *', '--catch-up', 'all', '--disabled');
    expect(err).toContain(`but it is disabled: sluice schedules update ${ID} --enable`);
    expect(err).toContain('Of several missed runs only the first will start');
  });

  test('what the gateway refuses is told with its place', async () => {
    const errors = [{ path: 'cron', message: 'the hour: expected 0 to 23, found "25"' }];
    gateway.answers = () => ({
      status: 422,
      body: {
        type: 'about:blank',
        title: 'Unprocessable Entity',
        status: 422,
        detail: 'The request is not valid.',
        errors,
      },
    });
    const { code, out, err } = await run('create', '-c', '0 25 * * *');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('cron: the hour: expected 0 to 23, found "25"');
  });

  test.each([
    [[]],
    [['-c', 'x', '--overlap', 'both']],
    [['-c', 'x', '--catch-up', 'some']],
    [['-c', 'x', '--input', '[']],
  ])('%j is a usage error', async (line) => {
    expect((await run('create', ...line)).code).toBe(2);
    expect(gateway.calls).toEqual([]);
  });
});

describe('schedules update', () => {
  test('sends what was said, and no more', async () => {
    await run('update', ID, '--cron', '30 4 * * *', '--overlap', 'allow');
    await run('update', ID, '--disable');
    await run('update', ID, '--enable', '--description', 'new');
    expect(called()).toEqual(Array(3).fill(`PATCH /v1/schedules/${ID}`));
    expect(bodies()).toEqual([
      { cron: '30 4 * * *', overlap: 'allow' },
      { enabled: false },
      { enabled: true, description: 'new' },
    ]);
  });

  test('of its job, what is not named stays', async () => {
    gateway.answers = () => ({ body: schedule({ job: { pipeline: 'p', tags: ['old'], priority: 'high' } }) });
    await run('update', ID, '--priority', 'low', '--source', 'here');
    expect(called()).toEqual([`GET /v1/schedules/${ID}`, `PATCH /v1/schedules/${ID}`]);
    expect(bodies()).toEqual([{ job: { pipeline: 'p', tags: ['old'], priority: 'low', source: '/somewhere/here' } }]);
  });

  test.each([[[]], [['--enable', '--disable']]])('%j is a usage error', async (line) => {
    expect((await run('update', ID, ...line)).code).toBe(2);
    expect(gateway.calls).toEqual([]);
  });
});

test('schedules delete: each by itself, and the rest though one is not there', async () => {
  const gone = { type: 'about:blank', title: 'Not Found', status: 404, detail: 'There is no schedule "x".' };
  gateway.answers = ({ path }: Call) => (path.endsWith('/x') ? { status: 404, body: gone } : { status: 204, body: '' });
  const { code, out, err } = await run('delete', ID, 'x', ONE_MORE, '-o', 'ids');
  expect([code, out]).toEqual([4, `${ID}\n${ONE_MORE}\n`]);
  expect(err).toContain('x: ');
  expect(err).toContain('2 schedules deleted; their jobs stay.');
  expect(called()).toEqual([ID, 'x', ONE_MORE].map((id) => `DELETE /v1/schedules/${id}`));
});

test('schedules run: prints the job that it makes', async () => {
  gateway.answers = () => ({ status: 202, body: sampleJob() });
  const { code, out, err } = await run('run', ID, '-o', 'ids');
  expect([code, out, called()]).toEqual([0, `${JOB_ID}\n`, [`POST /v1/schedules/${ID}/run`]]);
  expect(err).toContain(`sluice ingest status ${JOB_ID} --watch`);
  expect((await run('run', ID, '--timeout', '5')).code).toBe(2);
});

test.each(['list', 'show', 'create', 'update', 'delete', 'run'])(
  'schedules %s explains itself with examples',
  async (name) => {
    const { code, out } = await run(name, '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/Examples:\n {2}\$ sluice schedules/);
    if (name === 'create' || name === 'update') expect(out).toContain('a time that is skipped in spring');
  },
);
