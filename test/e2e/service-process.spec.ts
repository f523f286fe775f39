import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(__dirname, '../../dist/apps/metrics/src/main.js');
const NOWHERE = { DATABASE_URL: 'postgres://sluice:hunter2@127.0.0.1:1/none', NATS_URL: 'nats://127.0.0.1:1' };

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly log: readonly Record<string, unknown>[];
  readonly stderr: string;
}

/** Runs the metrics service; `onEntry` sees each entry of its log as it comes. */
async function runMetrics(
  env: Record<string, string>,
  onEntry: (entry: Record<string, unknown>, stop: (signal: NodeJS.Signals) => void) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Record<string, unknown>[] = [];
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  createInterface(child.stdout).on('line', (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    log.push(entry);
    onEntry(entry, (signal) => child.kill(signal));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, log, stderr }));
  });
}

describe('the process of a service', () => {
  it('exits with 2 and names what is wrong when it is told something wrong', async () => {
    const ended = await runMetrics({ ...NOWHERE, PORT: 'many', SLUICE_GRACE: 'long' }, () => undefined);
    expect(ended).toMatchObject({ code: 2, log: [] });
    expect(ended.stderr).toContain('PORT: expected a whole number from 0 to 65535, found "many"');
    expect(ended.stderr).toContain('SLUICE_GRACE: expected a duration');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('says where it listens, drains on %s and exits with 0', async (signal) => {
    const ended = await runMetrics({ ...NOWHERE, PORT: '0', SLUICE_TYPO: '1' }, (entry, stop) => {
      if (entry.msg === 'metrics listens') stop(signal);
    });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.log.find(({ msg }) => msg === 'metrics listens')).toMatchObject({
      service: 'metrics',
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as unknown,
    });
    expect(ended.log.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['draining', 'drained']));
    expect(ended.log).toContainEqual(expect.objectContaining({ level: 'warn', variable: 'SLUICE_TYPO' }));
    expect(JSON.stringify(ended.log)).not.toContain('hunter2');
  });

  it('exits with 1 and says why when its port is taken', async () => {
    const ports: unknown[] = [];
    const first = runMetrics({ ...NOWHERE, PORT: '0' }, (entry, stop) => {
      if (entry.msg !== 'metrics listens') return;
      const { port } = new URL(String(entry.url));
      void runMetrics({ ...NOWHERE, PORT: port }, () => undefined).then((second) => {
        ports.push(second);
        stop('SIGTERM');
      });
    });
    await expect(first).resolves.toMatchObject({ code: 0 });
    expect(ports).toEqual([expect.objectContaining({ code: 1 })]);
    const [{ log }] = ports as [Ended];
    expect(log).toContainEqual(
      expect.objectContaining({ level: 'fatal', err: expect.objectContaining({ code: 'EADDRINUSE' }) as unknown }),
    );
  });
});
