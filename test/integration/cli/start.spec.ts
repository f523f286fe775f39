import { FakeGateway } from './fake-gateway';
import { COMPLETED, JOB_ID, sampleJob } from './sample-job';
import { sluice } from './terminal';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await FakeGateway.start();
  gateway.answers = ({ method, path }) =>
    method === 'POST' && path === '/v1/ingest' ? { status: 202, body: sampleJob() } : undefined;
});
afterEach(() => gateway.stop());

const start = (...line: string[]) => sluice(gateway.url, ['ingest', 'start', ...line]);

test('a path is made absolute; what was not said is left to the gateway', async () => {
  const { code, out, err } = await start('code/../app');
  expect(gateway.calls.map(({ body }) => body)).toEqual([{ source: '/somewhere/app' }]);
  expect(code).toBe(0);
  expect(out).toContain(JOB_ID);
  expect(err).toContain(`sluice ingest status ${JOB_ID} --watch`);
});

test('everything that can be said', async () => {
  const { code } = await start(
    ...['git@example.org:team/app.git', '--pipeline', 'p', '--branch', 'main', '--priority', 'high'],
    ...['--countdown', '1.5', '--steps', 'a,b', '--steps', 'c', '--tag', 'x', '--tag', 'y, z', '--description', 'why'],
    ...['--option', 'a.size=5', '--option', 'a.words=some text', '--option', 'b.list=["x"]', '--option', 'b.eq=a=b'],
    ...['--input', '{"since": 3}', '--idempotency-key', 'k1', '--eta', '2030-01-31T18:30:00+02:00'],
    ...['--depends-on', 'u1,u2', '--depends-on', 'u3', '--on-dependency-failure', 'run'],
  );
  expect(code).toBe(0);
  expect(gateway.calls[0]?.body).toEqual({
    source: 'git@example.org:team/app.git',
    pipeline: 'p',
    branch: 'main',
    priority: 'high',
    countdown: 1.5,
    eta: '2030-01-31T16:30:00.000Z',
    steps: ['a', 'b', 'c'],
    tags: ['x', 'y, z'],
    description: 'why',
    options: { a: { size: 5, words: 'some text' }, b: { list: ['x'], eq: 'a=b' } },
    input: { since: 3 },
    idempotency_key: 'k1',
    depends_on: ['u1', 'u2', 'u3'],
    on_dependency_failure: 'run',
  });
});

test('no source for a pipeline that needs none', async () => {
  await start('--pipeline', 'example');
  expect(gateway.calls[0]?.body).toEqual({ pipeline: 'example' });
});

test.each([
  ['ids', `${JOB_ID}\n`],
  ['jsonl', `${JSON.stringify(sampleJob())}\n`],
  ['json', `${JSON.stringify(sampleJob(), null, 2)}\n`],
])('-o %s prints data alone on stdout, wherever it stands', async (format, expected) => {
  expect((await start('.', '-o', format)).out).toBe(expected);
  expect((await sluice(gateway.url, ['-o', format, 'ingest', 'start', '.'])).out).toBe(expected);
});

test('fields that this version does not know are printed as they came', async () => {
  gateway.answers = () => ({ body: { ...sampleJob(), new_field: { deep: 1 } } });
  expect(JSON.parse((await start('.', '-o', 'jsonl')).out)).toMatchObject({ new_field: { deep: 1 } });
});

test('the key goes along as a bearer token', async () => {
  await sluice(gateway.url, ['ingest', 'start', '.'], { env: { SLUICE_API_KEY: 'secret-1' } });
  expect(gateway.calls[0]?.headers.authorization).toBe('Bearer secret-1');
  await sluice(gateway.url, ['ingest', 'start', '.']);
  expect(gateway.calls[1]?.headers.authorization).toBeUndefined();
});

test('--url goes before SLUICE_URL, and may have a path', async () => {
  gateway.answers = ({ path }) => (path === '/under/v1/ingest' ? { body: sampleJob() } : undefined);
  const { code } = await sluice('http://127.0.0.1:1', ['ingest', 'start', '.', '--url', `${gateway.url}/under/`]);
  expect(code).toBe(0);
});

test('--wait ends with the job as it ended', async () => {
  gateway.onSocket = (socket) => {
    socket.send(JSON.stringify({ type: 'snapshot', job: COMPLETED }));
    socket.close(1000);
  };
  const { code, out, err } = await start('.', '--wait', '-o', 'jsonl');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ status: 'completed', duration_ms: 3_200 });
  expect(err).toBe(`Job ${JOB_ID} is pending.\n`);
});

describe('usage errors end with 2 before anything is sent', () => {
  test.each<[what: string, line: string[], message: string]>([
    ['a wrong priority', ['.', '--priority', 'urgent'], 'Allowed choices are high, default, low'],
    ['an eta that is none', ['.', '--eta', 'tomorrow'], 'Expected a time: 2030-01-31T18:30'],
    ['a day that is none', ['.', '--eta', '2030-02-30'], 'Expected a time'],
    ['a negative countdown', ['.', '--countdown', '-5'], 'Expected a number from 0'],
    ['an eta in milliseconds', ['.', '--eta', '1893456000000'], 'can only be milliseconds: give Unix seconds'],
    ['an empty countdown', ['.', '--countdown', ''], 'Expected a number from 0'],
    ['a wrong answer to failures', ['.', '--on-dependency-failure', 'skip'], 'Allowed choices are fail, run'],
    ['an option without a step', ['.', '--option', 'size=5'], 'Expected STEP.KEY=VALUE'],
    ['input that is no JSON', ['.', '--input', '{'], 'Expected a JSON object'],
    ['input that is no object', ['.', '--input', '[1]'], 'Expected a JSON object'],
    ['a timeout without a wait', ['.', '--timeout', '5'], '--timeout needs --wait or --follow'],
    ['an unknown option', ['.', '--prioritty', 'low'], '(Did you mean --priority?)'],
    ['too many sources', ['.', '..'], 'too many arguments'],
    ['an unknown format', ['.', '-o', 'xml'], 'Allowed choices are table, json, jsonl, ids'],
  ])('%s', async (_, line, message) => {
    const { code, out, err } = await start(...line);
    expect([code, out, err]).toEqual([2, '', expect.stringContaining(message) as string]);
    expect(gateway.calls).toHaveLength(0);
  });

  test.each<[what: string, env: Record<string, string>, message: string]>([
    ['a gateway that is no address', { SLUICE_URL: 'somewhere' }, 'has to look like http://127.0.0.1:3000'],
    ['a key with a line end', { SLUICE_API_KEY: 'a\nb' }, 'characters that a key cannot have'],
  ])('%s', async (_, env, message) => {
    const { code, err } = await sluice(gateway.url, ['ingest', 'start', '.'], { env });
    expect([code, err]).toEqual([2, expect.stringContaining(message) as string]);
    expect(err).not.toContain('a\nb');
  });
});
