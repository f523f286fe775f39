import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeGateway } from './fake-gateway';
import { JOB_ID, sampleJob } from './sample-job';

const BIN = join(__dirname, '../../../bin/sluice.js');

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await FakeGateway.start();
  gateway.answers = ({ path }) =>
    path.startsWith('/v1/ingest?')
      ? { body: { items: Array.from({ length: 200 }, () => sampleJob()), next_cursor: null, has_more: false } }
      : { body: sampleJob() };
});
afterEach(() => gateway.stop());

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

function launch(line: readonly string[], env: Readonly<Record<string, string>> = {}, bin = BIN): ChildProcess {
  return spawn(process.execPath, [bin, ...line], {
    env: { ...process.env, SLUICE_URL: gateway.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function exitOf(child: ChildProcess): Promise<Exit> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
  });
}

test('an eta without an offset is the local time of the user', async () => {
  const line = ['ingest', 'start', '.', '-o', 'ids', '--eta'];
  const at = (eta: string) => exitOf(launch([...line, eta], { TZ: 'America/New_York' }));
  expect(await at('2030-01-31T18:30')).toMatchObject({ code: 0, out: `${JOB_ID}\n` });
  await at('2030-07-31 18:30:15.5');
  await at('2030-07-31');
  await at('2030-07-31T18:30Z');
  await at('1900000000');
  expect(gateway.calls.map(({ body }) => (body as { eta: unknown }).eta)).toEqual([
    '2030-01-31T23:30:00.000Z',
    '2030-07-31T22:30:15.500Z',
    '2030-07-31T04:00:00.000Z',
    '2030-07-31T18:30:00.000Z',
    1_900_000_000,
  ]);
});

test('it is the version of the package, and needs no gateway to check a file', async () => {
  expect(await exitOf(launch(['--version']))).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
  });
  expect(await exitOf(launch(['config', 'check', join(__dirname, '../../../pipeline_config.yml')]))).toMatchObject({
    code: 0,
  });
});

test('a reader that has seen enough ends it quietly', async () => {
  const child = launch(['ingest', 'jobs', '-n', '2000', '-o', 'json']);
  gateway.answers = () => ({
    body: { items: Array.from({ length: 200 }, () => sampleJob()), next_cursor: 'more', has_more: true },
  });
  child.stdout?.once('data', () => child.stdout?.destroy());
  expect(await exitOf(child)).toMatchObject({ code: 0, err: '' });
});

test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('%s while it waits ends it with 130, not the job', async (signal) => {
  gateway.onSocket = (socket) => {
    socket.send(JSON.stringify({ type: 'snapshot', job: sampleJob() }), () => child.kill(signal));
  };
  const child = launch(['ingest', 'start', '.', '--wait']);
  const { code, err } = await exitOf(child);
  expect(code).toBe(130);
  expect(err).toContain(`The job goes on. To see it: sluice ingest status ${JOB_ID} --watch`);
});

test('before the build it says what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
  try {
    await cp(BIN, join(folder, 'bin/sluice.js'));
    const ended = await exitOf(launch(['workers'], {}, join(folder, 'bin/sluice.js')));
    expect(ended).toMatchObject({ code: 1, out: '', err: expect.stringContaining('npm run build') as string });
  } finally {
    await rm(folder, { recursive: true });
  }
});
