import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StackStatus } from '../../../apps/launcher/src/stack';
import { until } from '../../support/poll';
import { isAlive, untilGone } from '../../support/processes';

const PROJECT = join(__dirname, '..', '..', '..');
const BRING_UP = `
const { Stack } = require(${JSON.stringify(join(PROJECT, 'dist/apps/launcher/src/stack.js'))});
const stack = new Stack({
  dataFolder: process.argv[1], host: '127.0.0.1', gatewayPort: 0, workers: 1, embedded: 'all', graceMs: 1000,
  env: process.env, throwaway: true, mainOf: () => ${JSON.stringify(join(__dirname, 'fake-service.cjs'))},
  migrate: async () => {}, say: () => {}, onLine: () => {},
});
(async () => {
  await stack.startServers();
  await stack.startServices();
  console.log('up');
})();
`;

describe('a launcher that is killed', () => {
  let folder: string;
  let launcher: ChildProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-killed-'));
  });
  afterEach(async () => {
    launcher.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  async function launch(): Promise<StackStatus> {
    const PATH = `${join(process.env.SLUICE_TEST_NATS_SERVER as string, '..')}:${process.env.PATH}`;
    launcher = spawn(process.execPath, ['-e', BRING_UP, folder], {
      env: { ...process.env, PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    launcher.stdout?.on('data', (chunk) => (output += chunk));
    await until(() => output.includes('up'), { deadlineMs: 25_000, what: 'the stack' });
    return JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8')) as StackStatus;
  }

  const pidsOf = (status: StackStatus): number[] =>
    [...status.services, ...status.servers].map(({ pid }) => pid as number);

  it('takes every service and server with it, and leaves data that the next one goes on with', async () => {
    const first = await launch();
    const pids = pidsOf(first);
    expect(await Promise.all(pids.map(isAlive))).toEqual(pids.map(() => true));
    launcher.kill('SIGKILL');
    await untilGone(pids);
    const second = await launch();
    expect(second.database_url.split('@')[0]).toBe(first.database_url.split('@')[0]);
  });

  it('does so while its servers still start', async () => {
    const PATH = `${join(process.env.SLUICE_TEST_NATS_SERVER as string, '..')}:${process.env.PATH}`;
    launcher = spawn(process.execPath, ['-e', BRING_UP, folder], { env: { ...process.env, PATH }, stdio: 'ignore' });
    const pid = await until(
      async () => Number(await readFile(join(folder, 'nats', 'nats-server.pid'), 'utf8').catch(() => '')) || false,
      { what: 'the nats-server' },
    );
    launcher.kill('SIGKILL');
    await untilGone([pid]);
  });
});
