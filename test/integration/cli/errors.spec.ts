import { FakeGateway } from './fake-gateway';
import { JOB_ID } from './sample-job';
import { sluice } from './terminal';

let gateway: FakeGateway;
beforeAll(async () => {
  gateway = await FakeGateway.start();
});
afterAll(() => gateway.stop());

const problem = (status: number, more: object = {}) => ({
  status,
  body: { type: 'about:blank', title: 'It did not work.', status, ...more },
});

test.each([
  [400, 1],
  [401, 3],
  [403, 3],
  [404, 4],
  [409, 1],
  [422, 1],
  [503, 1],
])('a problem with status %i ends with %i', async (status, expected) => {
  gateway.answers = () => problem(status);
  const { code, out, err } = await sluice(gateway.url, ['ingest', 'status', JOB_ID]);
  expect([code, out]).toEqual([expected, '']);
  expect(err).toMatch(/^error: It did not work\./);
});

test('a problem is shown with each of its places', async () => {
  const errors = [
    { path: 'steps[0]', message: 'there is no step "x"' },
    { path: '', message: 'odd \u001b[2Jthing\r\nsecond line' },
  ];
  gateway.answers = () => problem(422, { detail: 'Two things are wrong.', errors });
  const { err } = await sluice(gateway.url, ['ingest', 'start', '.']);
  expect(err).toBe(
    'error: It did not work: Two things are wrong.\n  steps[0]: there is no step "x"\n  odd \\u001b[2Jthing second line\n',
  );
});

test('who is not known is told which variable to set', async () => {
  gateway.answers = () => problem(401);
  const { err } = await sluice(gateway.url, ['workers'], { env: { SLUICE_API_KEY: 'wrong-key' } });
  expect(err).toContain('Set SLUICE_API_KEY');
  expect(err).not.toContain('wrong-key');
});

test('nobody there: which address, and what to do', async () => {
  const other = await FakeGateway.start();
  const { url } = other;
  await other.stop();
  const { code, err } = await sluice(gateway.url, ['workers', '--url', url]);
  expect(code).toBe(1);
  expect(err).toContain(`Cannot reach the gateway at ${url} (connection refused)`);
  expect(err).toContain('npm start');
  expect(err).toContain('SLUICE_URL');
});

test.each([
  ['a page of something else', '<html></html>', 'text/html'],
  ['JSON of something else', { hello: 'world' }, 'application/json'],
])('%s', async (_, body, type) => {
  gateway.answers = () => ({ body, type });
  const { code, err } = await sluice(gateway.url, ['ingest', 'status', JOB_ID]);
  expect(code).toBe(1);
  expect(err).toContain(`The answer from ${gateway.url}/v1/ingest/${JOB_ID} is not one of a Sluice gateway`);
});

test('an error that is no problem document', async () => {
  gateway.answers = () => ({ status: 502, body: 'Bad Gateway', type: 'text/plain' });
  const { code, err } = await sluice(gateway.url, ['workers']);
  expect([code, err]).toEqual([1, 'error: The gateway answered 502.\n']);
});

test('an id is a part of the path, whatever is in it', async () => {
  gateway.answers = () => undefined;
  const { code } = await sluice(gateway.url, ['ingest', 'status', '../../health?x=1#y']);
  expect(code).toBe(4);
  expect(gateway.calls.at(-1)?.path).toBe('/v1/ingest/..%2F..%2Fhealth%3Fx%3D1%23y');
});

test('a command that is interrupted ends with 130', async () => {
  const interruption = new AbortController();
  gateway.answers = () => {
    interruption.abort();
    return undefined;
  };
  const { code } = await sluice(gateway.url, ['workers'], { signal: interruption.signal });
  expect(code).toBe(130);
});

test.each([
  ['no command', []],
  ['an unknown command', ['ingset']],
  ['half a command', ['ingest']],
  ['an unknown half', ['ingest', 'strat']],
  ['a missing id', ['ingest', 'status']],
  ['an unknown status', ['ingest', 'jobs', '--status', 'done']],
  ['a limit of 0', ['ingest', 'jobs', '--limit', '0']],
])('%s is a usage error', async (_, line) => {
  const { code, out, err } = await sluice(gateway.url, line);
  expect([code, out]).toEqual([2, '']);
  expect(err).not.toBe('');
});

test.each([
  [],
  ['ingest'],
  ['ingest', 'start'],
  ['ingest', 'status'],
  ['ingest', 'jobs'],
  ['search'],
  ['config', 'check'],
])('%s %s --help teaches, on stdout', async (...line) => {
  const { code, out, err } = await sluice(gateway.url, [...line.filter((word) => typeof word === 'string'), '--help']);
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('Usage: sluice');
});

test('--version', async () => {
  expect(await sluice(gateway.url, ['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
});
