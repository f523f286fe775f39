import type { DeadLetterView } from '#shared/contracts/dead-letter';
import { type Call, FakeGateway } from './fake-gateway';
import { CANCELLED, COMPLETED, FAILED, JOB_ID, RETRYING, sampleJob } from './sample-job';
import { sluice } from './terminal';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await FakeGateway.start();
});
afterEach(() => gateway.stop());

const run = (...line: string[]) => sluice(gateway.url, line);
const called = (): string[] => gateway.calls.map(({ method, path }) => `${method} ${path}`);
const bodies = (): unknown[] => gateway.calls.map(({ body }) => body);
const problem = (status: number, detail: string) => ({
  status,
  body: { type: 'about:blank', title: 'No', status, detail },
});

/** A table without the spaces that only align it. */
const cells = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

const LETTER: DeadLetterView = {
  id: '7c1d9f6e-0a4b-4f52-9d0e-5b8f3a2c1d4e',
  job_id: JOB_ID,
  pipeline: 'repository',
  step: 'documentation',
  error: { message: 'no such\nhost \u001b[31mred', kind: 'transient', code: 'ENOTFOUND' },
  fingerprint: '5d1f0c2ab93e7716',
  attempts: 4,
  payload: { source: '/x', source_type: 'local_path', branch: null, commit: null, input: {}, options: {} },
  created_at: '2030-01-31T12:00:05.000Z',
};

describe.each(['cancel', 'stop'])('ingest %s', (name) => {
  test('prints the job, and how to see it end', async () => {
    gateway.answers = () => ({ status: 202, body: sampleJob({ status: 'cancelling' }) });
    const { code, out, err } = await run('ingest', name, JOB_ID);
    expect([code, called(), bodies()]).toEqual([0, [`POST /v1/ingest/${JOB_ID}/cancel`], [{}]]);
    expect(out).toMatch(/^Status +cancelling/m);
    expect(err).toBe(`It is being cancelled. To see it end: sluice ingest status ${JOB_ID} --watch\n`);
  });
});

describe('ingest cancel', () => {
  test('says when the job had ended before', async () => {
    gateway.answers = () => ({ body: COMPLETED });
    const { code, out, err } = await run('ingest', 'cancel', JOB_ID, '-o', 'ids');
    expect([code, out, err]).toEqual([0, `${JOB_ID}\n`, 'It had ended before: it is completed.\n']);
  });

  test.each([
    [CANCELLED, 0],
    [COMPLETED, 0],
    [FAILED, 5],
  ])('--wait ends with the job: %#', async (job, expected) => {
    let stored = sampleJob({ status: 'cancelling' });
    gateway.answers = ({ method }) => ({ status: method === 'POST' ? 202 : 200, body: stored });
    gateway.onSocket = (socket) => {
      socket.send(JSON.stringify({ type: 'snapshot', job: stored }));
      stored = job;
      socket.send(JSON.stringify({ type: 'snapshot', job }));
      socket.close(1000);
    };
    const { code, out } = await run('ingest', 'cancel', JOB_ID, '--wait', '--timeout', '20', '-o', 'json');
    expect([code, (JSON.parse(out) as { status: string }).status]).toEqual([expected, job.status]);
  });

  test('--wait has no more patience than it is told', async () => {
    const body = sampleJob({ status: 'cancelling' });
    gateway.answers = () => ({ status: 202, body });
    gateway.onSocket = (socket) => socket.send(JSON.stringify({ type: 'snapshot', job: body }));
    expect((await run('ingest', 'cancel', JOB_ID, '--wait', '--timeout', '0.3')).code).toBe(7);
    expect((await run('ingest', 'cancel', JOB_ID, '--timeout', '3')).code).toBe(2);
  });

  test('of a held job needs no waiting', async () => {
    gateway.answers = () => ({ status: 202, body: CANCELLED });
    const { code, err } = await run('ingest', 'cancel', JOB_ID, '--wait');
    expect([code, err, gateway.socketsSoFar]).toEqual([0, '', 0]);
  });
});

describe('ingest retry', () => {
  test('sends the step to begin at, and says how to see it go on', async () => {
    gateway.answers = () => ({ status: 202, body: sampleJob() });
    expect((await run('ingest', 'retry', JOB_ID)).code).toBe(0);
    const { code, out, err } = await run('ingest', 'retry', JOB_ID, '--from', 'documentation', '-o', 'ids');
    expect([code, out]).toEqual([0, `${JOB_ID}\n`]);
    expect(err).toBe(`It goes on. To see it: sluice ingest status ${JOB_ID} --watch\n`);
    expect(called()).toEqual(Array(2).fill(`POST /v1/ingest/${JOB_ID}/retry`));
    expect(bodies()).toEqual([{}, { from_step: 'documentation' }]);
  });

  test.each([
    [COMPLETED, 0],
    [FAILED, 5],
    [CANCELLED, 6],
  ])('--wait ends as the job does: %#', async (job, expected) => {
    gateway.answers = ({ method }) => ({ status: 202, body: method === 'POST' ? sampleJob() : job });
    gateway.onSocket = (socket) => {
      socket.send(JSON.stringify({ type: 'snapshot', job }));
      socket.close(1000);
    };
    const { code, err } = await run('ingest', 'retry', JOB_ID, '--wait');
    expect(code).toBe(expected);
    expect(err.includes(`sluice ingest retry ${JOB_ID}`)).toBe(expected === 5);
  });

  test.each([
    [409, 'The job is running.', 1],
    [422, 'Not valid.', 1],
    [404, 'There is no job.', 4],
  ])('a %i is said with its words', async (status, detail, expected) => {
    gateway.answers = () => problem(status, detail);
    const { code, out, err } = await run('ingest', 'retry', JOB_ID);
    expect([code, out]).toEqual([expected, '']);
    expect(err).toContain(detail);
  });
});

describe('ingest status', () => {
  test('of a failed job says what may be done, on stderr', async () => {
    gateway.answers = () => ({ body: FAILED });
    const { code, out, err } = await run('ingest', 'status', JOB_ID, '-o', 'json');
    expect([code, JSON.parse(out)]).toEqual([0, FAILED]);
    expect(err).toContain(`sluice ingest attempts ${JOB_ID}`);
    expect(err).toContain(`sluice ingest retry ${JOB_ID}`);
  });

  test('of any other says nothing more; the whole error is in the JSON', async () => {
    gateway.answers = () => ({ body: RETRYING });
    const { out, err } = await run('ingest', 'status', JOB_ID, '-o', 'json');
    expect(err).toBe('');
    expect((JSON.parse(out) as typeof RETRYING).last_error?.message).toBe('no such\nhost \u001b[31mred');
  });
});

test('ingest logs', async () => {
  const line = { at: '2030-01-31T12:00:05.000Z', level: 'warn', step: 'fetch', attempt: 2, message: 'slow\u001b[2J' };
  gateway.answers = () => ({ body: { items: [line] } });
  const { code, out } = await run('ingest', 'logs', JOB_ID, '--step', 'fetch', '--attempt', '2');
  expect([code, called()]).toEqual([0, [`GET /v1/ingest/${JOB_ID}/logs?step=fetch&attempt=2`]]);
  expect(cells(out)[0]).toEqual(['TIME', 'LEVEL', 'STEP', 'ATTEMPT', 'MESSAGE']);
  expect(cells(out)[1]?.slice(1)).toEqual(['warn', 'fetch', '2', 'slow\\u001b[2J']);
  expect((await run('ingest', 'logs', JOB_ID, '-o', 'jsonl')).out).toBe(`${JSON.stringify(line)}\n`);
  gateway.answers = () => ({ body: { items: [] } });
  expect(await run('ingest', 'logs', JOB_ID)).toEqual({ code: 0, out: '', err: 'Nothing was logged.\n' });
  expect((await run('ingest', 'logs', JOB_ID, '--attempt', '0')).code).toBe(2);
});

describe('dead-letters', () => {
  const page = (count: number, cursor: string | null = null) => ({
    body: { items: Array.from({ length: count }, () => LETTER), next_cursor: cursor, has_more: cursor !== null },
  });

  test.each([[['dead-letters']], [['dead-letters', 'list']]])('%j lists them', async (line) => {
    gateway.answers = () => page(1);
    const { code, out } = await run(...line);
    expect([code, called()]).toEqual([0, ['GET /v1/dead_letters?limit=50']]);
    const [, row] = cells(out);
    expect(row?.slice(0, 5)).toEqual([LETTER.id, JOB_ID, 'repository', 'documentation', '4']);
    expect(row?.slice(6)).toEqual([LETTER.fingerprint, 'transient: no such host \\u001b[31mred']);
    expect((await run(...line, '-o', 'ids')).out).toBe(`${LETTER.id}\n`);
    expect(JSON.parse((await run(...line, '-o', 'json')).out)).toEqual(page(1).body);
  });

  test('hands its filters on, and pages', async () => {
    gateway.answers = ({ path }) => page(path.includes('limit=200') ? 200 : 5, 'on');
    const filter = ['--pipeline', 'p', '--step', 's', '--kind', 'timeout', '--fingerprint', LETTER.fingerprint];
    const times = ['--job', JOB_ID, '--created-after', '1900000000', '--created-before', '2030-01-31T18:30Z'];
    const { out, err } = await run('dead-letters', 'list', ...filter, ...times, '-n', '205');
    expect(cells(out)).toHaveLength(206);
    expect(err).toContain('There are more');
    const asked =
      `/v1/dead_letters?pipeline=p&step=s&kind=timeout&fingerprint=${LETTER.fingerprint}&job_id=${JOB_ID}` +
      '&created_after=2030-03-17T17%3A46%3A40.000Z&created_before=2030-01-31T18%3A30%3A00.000Z';
    expect(called()).toEqual([`GET ${asked}&limit=200`, `GET ${asked}&limit=5&cursor=on`]);
  });

  test.each([[['--groups']], [['--group-by', 'fingerprint']]])('%j shows what is alike', async (how) => {
    const { fingerprint, pipeline, step, error, created_at } = LETTER;
    const group = { fingerprint, count: 3, pipeline, step, error, first_at: created_at, last_at: created_at };
    gateway.answers = () => ({ body: { items: [group], has_more: true } });
    const { code, out, err } = await run('dead-letters', ...how, '--step', 's');
    expect([code, called()]).toEqual([0, ['GET /v1/dead_letters?step=s&limit=50&group_by=fingerprint']]);
    expect(cells(out)[1]?.slice(0, 4)).toEqual([fingerprint, '3', 'repository', 'documentation']);
    expect(err).toContain('There are more groups');
  });

  test('none is said to be so', async () => {
    gateway.answers = () => page(0);
    expect(await run('dead-letters')).toEqual({ code: 0, out: '', err: 'No dead letters.\n' });
  });

  test.each([
    ['--kind', 'odd'],
    ['--created-after', 'yesterday'],
    ['--group-by', 'step'],
    ['--limit', '0'],
  ])('%s %s is a usage error', async (option, value) => {
    expect((await run('dead-letters', 'list', option, value)).code).toBe(2);
    expect(gateway.calls).toEqual([]);
  });
});

describe('dead-letters redrive', () => {
  const result = (matched: number, done: number, skipped: number) => () => ({ body: { matched, done, skipped } });

  test('of ids: each by itself, and the rest though one cannot be', async () => {
    const answers: Record<string, ReturnType<typeof problem>> = {
      gone: problem(404, 'There is no dead letter "gone".'),
      busy: problem(409, 'The job is running.'),
    };
    gateway.answers = ({ path }: Call) => answers[path.split('/')[3] ?? ''] ?? { status: 202, body: sampleJob() };
    const good = await run('dead-letters', 'redrive', 'one', 'two');
    expect([good.code, cells(good.out)[1]]).toEqual([0, ['2', '2', '0']]);
    expect(called()).toEqual(['POST /v1/dead_letters/one/redrive', 'POST /v1/dead_letters/two/redrive']);
    const mixed = await run('dead-letters', 'redrive', 'busy', 'gone', 'one', '-o', 'json');
    expect([mixed.code, JSON.parse(mixed.out)]).toEqual([4, { matched: 3, done: 1, skipped: 2, jobs: [JOB_ID] }]);
    expect(mixed.err).toContain('busy: No: The job is running.');
    expect((await run('dead-letters', 'redrive', 'busy')).code).toBe(1);
    expect((await run('dead-letters', 'redrive', 'one', '-o', 'ids')).out).toBe(`${JOB_ID}\n`);
  });

  test('what stands in the way of all of them ends it', async () => {
    gateway.answers = () => problem(503, 'Later.');
    const { code, out } = await run('dead-letters', 'redrive', 'one', 'two');
    expect([code, out, gateway.calls.length]).toEqual([1, '', 1]);
  });

  test('by fingerprint, by filter, and all', async () => {
    gateway.answers = result(5, 3, 2);
    const { code, out, err } = await run('dead-letters', 'redrive', '--fingerprint', LETTER.fingerprint);
    expect([code, cells(out)]).toEqual([
      0,
      [
        ['MATCHED', 'DONE', 'SKIPPED'],
        ['5', '3', '2'],
      ],
    ]);
    expect(err).toBe('2 dead letters skipped: the jobs still run.\n');
    await run('dead-letters', 'redrive', '--step', 's', '--kind', 'crashed', '--dry-run');
    await run('dead-letters', 'redrive', '--all');
    expect(called()).toEqual(Array(3).fill('POST /v1/dead_letters/redrive'));
    expect(bodies()).toEqual([
      { filter: { fingerprint: LETTER.fingerprint }, dry_run: false },
      { filter: { step: 's', kind: 'crashed' }, dry_run: true },
      { filter: {}, dry_run: false },
    ]);
  });

  test('says when there was none, when nothing was done, and when some are left', async () => {
    gateway.answers = result(0, 0, 0);
    expect((await run('dead-letters', 'redrive', '--all')).err).toBe('No dead letters.\n');
    gateway.answers = result(7, 0, 1);
    expect((await run('dead-letters', 'redrive', '--all', '--dry-run')).err).toContain('nothing was done');
    gateway.answers = result(7, 4, 1);
    const { err } = await run('dead-letters', 'redrive', '--all');
    expect(err).toContain('2 are left: the same command takes them up.');
    expect((await run('dead-letters', 'redrive', '--all', '-o', 'ids')).out).toBe('');
  });

  test.each([
    [[]],
    [['--dry-run']],
    [['an-id', '--all']],
    [['an-id', '--step', 's']],
    [['--all', '--step', 's']],
    [['an-id', '--dry-run']],
  ])('%j is a usage error that says what is wanted', async (line) => {
    const { code, err } = await run('dead-letters', 'redrive', ...line);
    expect([code, gateway.calls]).toEqual([2, []]);
    expect(err).toMatch(/^error: (Say which|Give either|--dry-run goes)/);
  });
});

test.each([
  ['ingest', 'cancel'],
  ['ingest', 'retry'],
  ['ingest', 'logs'],
  ['dead-letters', 'list'],
  ['dead-letters', 'redrive'],
])('%s %s explains itself with examples', async (...line) => {
  const { code, out } = await run(...line, '--help');
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`Examples:\\n {2}\\$ sluice ${line[0]}`));
});

test('help offers no git sources, which are refused', async () => {
  const { out } = await run('ingest', 'start', '--help');
  expect(out).not.toMatch(/\.git|--branch/);
  expect(out).toContain('git URLs are not taken yet');
});
