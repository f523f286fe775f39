import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { JobView } from '#shared/contracts/job';
import { commandLineOf } from '#shared/runtime/embedded/process-identity';
import type { StackStatus } from '../../apps/launcher/src/stack';
import { until } from '../support/poll';
import { untilGone } from '../support/processes';
import { testVariable } from '../support/test-environment';

const PROJECT = join(__dirname, '..', '..');

jest.setTimeout(180_000);

describe('npm start', () => {
  let folder: string;
  let launcher: ChildProcess;
  let output: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  });
  afterEach(async () => {
    launcher.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  const launch = (...args: string[]): void => launchWith({}, ...args);

  function launchWith(env: NodeJS.ProcessEnv, ...args: string[]): void {
    output = '';
    const PATH = [dirname(testVariable('natsServer')), process.env.PATH].join(delimiter);
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(SLUICE_|DATABASE_URL|NATS_URL|npm_)/.test(name),
    );
    launcher = spawn(process.execPath, [join(PROJECT, 'scripts', 'start.mjs'), ...args], {
      cwd: PROJECT,
      env: { ...Object.fromEntries(inherited), PATH, SLUICE_GRACE: '5s', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    launcher.stdout?.on('data', (chunk) => (output += chunk));
    launcher.stderr?.on('data', (chunk) => (output += chunk));
  }

  async function untilReady(): Promise<StackStatus> {
    const isReady = (): boolean => output.includes('ready at http://');
    await until(() => isReady() || launcher.exitCode !== null, { deadlineMs: 60_000 }).catch(() => undefined);
    if (!isReady()) throw new Error(`npm start is not ready:\n${output}`);
    return JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8')) as StackStatus;
  }

  async function exitCode(): Promise<number | null> {
    await until(() => launcher.exitCode !== null || launcher.signalCode !== null, { deadlineMs: 60_000 });
    return launcher.exitCode;
  }

  const pidsOf = (status: StackStatus): number[] =>
    [...status.services, ...status.servers].map(({ pid }) => pid as number);

  it('brings everything up, restarts what is killed, and drains with nothing left behind', async () => {
    launch('--port', '0', '--data-dir', folder, '--workers', '2', '--concurrency', '3');
    const before = await untilReady();
    expect((await fetch(`${before.url}/health/ready`)).status).toBe(200);
    for (const { name, pid } of before.services) expect(await commandLineOf(pid as number)).toContain(`sluice-${name}`);
    const worker = before.services.find(({ name }) => name === 'step-worker-2');
    process.kill(worker?.pid as number, 'SIGKILL');
    await until(() => output.includes('step-worker-2 ended with signal SIGKILL; starting it again at once'));
    const after = await until(async () => {
      const status = JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8')) as StackStatus;
      const again = status.services.find(({ name }) => name === 'step-worker-2');
      if (!again?.pid || again.pid === worker?.pid) return undefined;
      return (await fetch(`${again.url}/health/ready`)).ok && status;
    });
    launcher.kill('SIGTERM');
    expect(await exitCode()).toBe(0);
    await untilGone(pidsOf(after), 0);
  });

  it('takes everything with it when it is killed, and goes on from the same folder', async () => {
    launch('--port', '0', '--data-dir', folder);
    const first = await untilReady();
    launcher.kill('SIGKILL');
    await untilGone(pidsOf(first));
    launch('--port', '0', '--data-dir', folder);
    const second = await untilReady();
    expect((await fetch(`${second.url}/health/ready`)).status).toBe(200);
    launcher.kill('SIGINT');
    expect(await exitCode()).toBe(0);
    await untilGone(pidsOf(second), 0);
  });

  it('ends at once, with 130, when it is told again while a step still runs', async () => {
    const config = join(folder, 'pipelines.yml');
    await writeFile(
      config,
      'pipelines: { long: { steps: [{ name: only, uses: noop, options: { duration_ms: 60000 } }] } }\n',
    );
    launch('--port', '0', '--data-dir', folder, '--config', config);
    const status = await untilReady();
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ pipeline: 'long' });
    const { id } = (await (
      await fetch(`${status.url}/v1/ingest`, { method: 'POST', headers, body })
    ).json()) as JobView;
    await until(async () => ((await (await fetch(`${status.url}/v1/ingest/${id}`)).json()) as JobView).started_at);
    const toldAgain = (): boolean => {
      launcher.kill('SIGINT');
      return launcher.exitCode !== null;
    };
    await until(toldAgain, { deadlineMs: 60_000 });
    expect(launcher.exitCode).toBe(130);
    expect(output).toMatch(/ending at once\n$/);
    await untilGone(pidsOf(status));
  });

  it('ends with 2 when a service cannot use its configuration, and says what the service said', async () => {
    launchWith({ SLUICE_API_KEYS: 'no-key' }, '--port', '0', '--data-dir', folder);
    expect(await exitCode()).toBe(2);
    expect(output).toContain('SLUICE_API_KEYS');
    expect(output).toContain('ended with exit code 2 before it was ready');
  });

  it('ends with 2 at once when the pipelines are wrong, and starts nothing', async () => {
    launch('--port', '0', '--data-dir', folder, '--config', join(folder, 'no-such-file.yml'));
    expect(await exitCode()).toBe(2);
    expect(output).toContain('no-such-file.yml');
    expect(output).not.toContain('starting the servers');
  });
});
