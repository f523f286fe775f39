import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttemptView, JobView } from '#shared/contracts/job';
import { TestStack } from '../support/stack';

const BIN = join(__dirname, '../../bin/sluice.js');

const PIPELINES = `
retry: { max_retries: 2, back_off_seconds: 0.05 }
pipelines:
  repository:
    source: required
    steps: [{ name: filesystem }, { name: documentation }]
  flaky: { steps: [{ name: first, uses: noop, options: { duration_ms: 3000 } }, { name: second, uses: noop, options: { fail_attempts: 1 } }] }
  broken: { steps: [{ name: only, uses: noop, options: { fail_attempts: 9, fail_with: permanent } }] }
  pause: { steps: [{ name: short, uses: noop, options: { duration_ms: 3000 } }] }
  slow: { steps: [{ name: long, uses: noop, options: { duration_ms: 600000 } }] }
`;

let stack: TestStack;
let source: string;

beforeAll(async () => {
  source = await mkdtemp(join(tmpdir(), 'sluice-cli-source-'));
  await mkdir(join(source, 'docs'));
  await writeFile(join(source, 'docs/guide.md'), '# Guide\n\n## Of the kingfisher\n\nIt dives for minnows.\n');
  await writeFile(join(source, 'index.js'), 'console.log(1);\n');
  stack = await TestStack.start({ pipelines: PIPELINES, sourceRoots: [source], env: { SLUICE_GRACE: '1s' } });
});
afterAll(async () => {
  await stack?.stop();
  await rm(source, { recursive: true });
});

interface Exit {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Exit>;
}

function launch(...line: string[]): Running {
  const child = spawn(process.execPath, [BIN, ...line], {
    cwd: source,
    env: { ...process.env, SLUICE_URL: stack.gateway.url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}

const sluice = (...line: string[]): Promise<Exit> => launch(...line).ended;

test('takes a folder in, waits for it, and finds what it holds', async () => {
  const { code, out, err } = await sluice('ingest', 'start', '.', '--wait', '--timeout', '60', '-o', 'json');
  expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/^Job .* is \w+\.\n$/) as string });
  const job = JSON.parse(out) as JobView;
  expect(job).toMatchObject({ pipeline: 'repository', status: 'completed', progress: 100 });
  const hits = await sluice('search', 'kingfisher', '-o', 'json');
  expect((JSON.parse(hits.out) as { items: { path: string }[] }).items[0]?.path).toBe('docs/guide.md');
  expect((await sluice('ingest', 'jobs', '--pipeline', 'repository', '-o', 'ids')).out).toBe(`${job.id}\n`);
});

test('--follow tells of the retry, and attempts lists it', async () => {
  const { code, out, err } = await sluice('ingest', 'start', '--pipeline', 'flaky', '--follow', '--timeout', '60');
  expect(code).toBe(0);
  expect(err).toMatch(/step\.retrying {3}second/);
  expect(err).toMatch(/job\.completed/);
  expect(out).toMatch(/^second +completed +100 % +1\/2/m);
  const id = /^Job +(\S+)$/m.exec(out)?.[1] ?? '';
  const attempts = JSON.parse((await sluice('ingest', 'attempts', id, '-o', 'json')).out) as { items: AttemptView[] };
  expect(attempts.items.map(({ step, number, outcome }) => [step, number, outcome])).toEqual([
    ['first', 1, 'completed'],
    ['second', 1, 'failed'],
    ['second', 2, 'completed'],
  ]);
});

test('a job that fails ends the wait with 5, and a watch of it too', async () => {
  const { code, out } = await sluice('ingest', 'start', '--pipeline', 'broken', '--wait', '-o', 'ids');
  expect(code).toBe(5);
  expect((await sluice('ingest', 'status', out.trim(), '--watch')).code).toBe(5);
  expect((await sluice('ingest', 'status', out.trim())).code).toBe(0);
});

test('patience that is over ends with 7, an interruption with 130; the job goes on', async () => {
  const line = ['ingest', 'start', '--pipeline', 'slow', '--tag', 'long'];
  expect((await sluice(...line, '--wait', '--timeout', '1')).code).toBe(7);
  const { child, ended } = launch(...line, '--follow');
  child.stderr?.on('data', (chunk: Buffer) => {
    if (chunk.includes('slow')) child.kill('SIGINT');
  });
  expect(await ended).toMatchObject({ code: 130, err: expect.stringContaining('The job goes on') as string });
  const { out } = await sluice('ingest', 'jobs', '--tag', 'long', '--status', 'pending,running', '-o', 'ids');
  expect(out.trim().split('\n')).toHaveLength(2);
});

test('a wait outlives the gateway', async () => {
  const { child, ended } = launch('ingest', 'start', '--pipeline', 'pause', '--follow', '--timeout', '60');
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.includes('pending') || chunk.includes('running')) resolve();
    });
  });
  await stack.gateway.kill();
  await stack.gateway.start();
  expect(await ended).toMatchObject({ code: 0, err: expect.stringContaining('completed 100 %') as string });
});

test('says what the gateway refuses, by place', async () => {
  const outside = await sluice('ingest', 'start', '/');
  expect(outside).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/\n {2}source: /) as string });
  const unknown = await sluice('ingest', 'start', '.', '--steps', 'nope');
  expect(unknown.code).toBe(1);
  expect(unknown.err).toContain('steps');
  expect((await sluice('ingest', 'status', '0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d')).code).toBe(4);
  expect((await sluice('ingest', 'status', 'nonsense')).code).toBe(4);
});

test('lists workers and pipelines', async () => {
  expect((await sluice('workers')).out).toMatch(/ alive /);
  const { out } = await sluice('pipelines', '-o', 'ids');
  expect(out.trim().split('\n').sort()).toEqual(['broken', 'flaky', 'pause', 'repository', 'slow']);
});
