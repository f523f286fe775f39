import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { Stack, type StackStatus } from '../../../apps/launcher/src/stack';
import type { StackPlan } from '../../../apps/launcher/src/stack-plan';
import { until } from '../../support/poll';
import { untilGone } from '../../support/processes';

describe('a stack', () => {
  let folder: string;
  let said: string[];
  let lines: string[];
  let stack: Stack;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-stack-'));
    said = [];
    lines = [];
  });
  afterEach(async () => {
    await stack.kill();
    await rm(folder, { recursive: true, force: true });
  });

  function prepare(over: Partial<StackPlan> = {}): Stack {
    stack = new Stack({
      dataFolder: folder,
      host: '127.0.0.1',
      gatewayPort: 0,
      workers: 2,
      embedded: 'all',
      env: { ...process.env, PATH: `${join(process.env.SLUICE_TEST_NATS_SERVER as string, '..')}:${process.env.PATH}` },
      graceMs: 1_000,
      throwaway: true,
      mainOf: () => join(__dirname, 'fake-service.cjs'),
      migrate: (url) => statement(url, 'CREATE TABLE IF NOT EXISTS proof (id int)'),
      say: (line) => said.push(line),
      onLine: (name, line) => lines.push(`${name}: ${line}`),
      ...over,
    });
    return stack;
  }

  async function bringUp(over: Partial<StackPlan> = {}): Promise<StackStatus> {
    prepare(over);
    await stack.startServers();
    await stack.migrate();
    await stack.startServices();
    return stack.status();
  }

  async function statement(url: string, sql: string): Promise<void> {
    const client = new Client(url);
    await client.connect();
    await client.query(sql);
    await client.end();
  }

  const pidsOf = (status: StackStatus): number[] =>
    [...status.services, ...status.servers].map(({ pid }) => pid as number);

  it('brings everything up on ports of its own, says where in a file, and leaves nothing behind', async () => {
    const status = await bringUp();
    expect(JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(status)));
    const names = [...status.services, ...status.servers].map(({ name }) => name);
    expect(names).toEqual(
      ['gateway', 'scheduler', 'metrics', 'step-worker-1', 'step-worker-2'].concat('postgres', 'nats-server'),
    );
    expect(new Set([...status.services, ...status.servers].map(({ port }) => port)).size).toBe(7);
    const answer = await (await fetch(`${status.url}/health/ready`)).json();
    expect(answer).toEqual({ name: 'gateway', database_url: status.database_url, nats_url: status.nats_url });
    await stack.stop();
    await untilGone(pidsOf(status), 0);
    await expect(readFile(join(folder, 'stack.json'))).rejects.toThrow('ENOENT');
    const drained = lines.filter((line) => line.endsWith('drains')).map((line) => line.split(':')[0]);
    expect(new Set(drained.slice(0, 3))).toEqual(new Set(['gateway', 'step-worker-1', 'step-worker-2']));
    expect(new Set(drained.slice(3))).toEqual(new Set(['scheduler', 'metrics']));
  });

  it('starts again a killed service and killed servers, in the same places and with their data', async () => {
    const before = await bringUp();
    for (const pid of pidsOf(before)) process.kill(pid, 'SIGKILL');
    const after = await until(
      () => {
        const now = stack.status();
        return pidsOf(now).every((pid, index) => pid !== null && pid !== pidsOf(before)[index]) && now;
      },
      { deadlineMs: 20_000, what: 'new processes everywhere' },
    );
    expect(after.url).toBe(before.url);
    expect(after.servers.map(({ port }) => port)).toEqual(before.servers.map(({ port }) => port));
    await statement(after.database_url, 'INSERT INTO proof VALUES (1)');
    await until(async () => (await fetch(`${after.url}/health/ready`)).ok, { what: 'a gateway that is ready' });
    expect(said).toContain('step-worker-2 ended with signal SIGKILL; starting it again at once');
    expect(said).toContain('postgres ended with signal SIGKILL; starting it again at once');
  });

  it('goes on where it stopped when it is started on the same folder', async () => {
    const first = await bringUp();
    await statement(first.database_url, 'INSERT INTO proof VALUES (7)');
    await stack.stop();
    const second = await bringUp({ migrate: (url) => statement(url, 'ALTER TABLE proof ADD CHECK (id = 7)') });
    expect(second.services).toHaveLength(5);
  });

  it('refuses a data folder that another stack uses, and a port that is taken', async () => {
    const { url } = await bringUp();
    const first = stack;
    await expect(prepare().startServers()).rejects.toThrow(`in use by the process with pid ${process.pid}`);
    const gatewayPort = Number(new URL(url).port);
    await expect(prepare({ gatewayPort }).startServers()).rejects.toThrow(`port ${gatewayPort}`);
    await first.stop();
  });

  it('fails with the reason when a service was told something wrong', async () => {
    const failing = bringUp({ env: { ...process.env, FAKE_SCHEDULER: 'misconfigured' } });
    await expect(failing).rejects.toMatchObject({
      message: 'scheduler: ended with exit code 2 before it was ready',
      exitCode: 2,
    });
    expect(lines).toContain('scheduler: pipeline_config.yml:3: retry: expected a mapping, found 7');
  });

  it('kills what does not end, when it is told twice', async () => {
    const status = await bringUp({ graceMs: 600_000, env: { ...process.env, FAKE_GATEWAY: 'deaf' } });
    const stopping = stack.stop();
    await until(() => lines.includes('gateway: gateway drains'), { what: 'the drain' });
    await stack.kill();
    await stopping;
    await untilGone(pidsOf(status), 0);
  });
});
