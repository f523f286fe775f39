import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NatsBus } from '#shared/bus/nats-bus';
import type { DeadLetterGroups, DeadLetterPage } from '#shared/contracts/dead-letter';
import type { AttemptView, JobView } from '#shared/contracts/job';
import type { ScheduleView } from '#shared/contracts/schedule';
import { DEAD_STREAM } from '#shared/contracts/subjects';
import { TestLog } from '../integration/bus-stage';
import { until } from '../support/poll';
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
  mended: { steps: [{ name: first, uses: noop }, { name: second, uses: noop, options: { fail_attempts: 1, fail_with: permanent } }] }
  quick: { steps: [{ name: only, uses: noop }] }
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

const launch = (...line: string[]): Running => launchIn({}, line);

function launchIn(env: NodeJS.ProcessEnv, line: readonly string[]): Running {
  const child = spawn(process.execPath, [BIN, ...line], {
    cwd: source,
    env: { ...process.env, SLUICE_URL: stack.gateway.url, ...env },
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

test('what has failed is kept, said, and goes on from there when it is retried', async () => {
  const { code, out, err } = await sluice('ingest', 'start', '--pipeline', 'mended', '--wait', '-o', 'ids');
  const id = out.trim();
  expect([code, err]).toEqual([5, expect.stringContaining(`sluice ingest retry ${id}`)]);
  const letter = await sluice('dead-letters', '--job', id, '-o', 'json');
  const { items } = JSON.parse(letter.out) as DeadLetterPage;
  expect(items).toMatchObject([{ pipeline: 'mended', step: 'second', attempts: 1, error: { kind: 'permanent' } }]);
  const retried = await sluice('ingest', 'retry', id, '--follow', '--timeout', '60', '-o', 'json');
  expect(retried).toMatchObject({ code: 0, err: expect.stringMatching(/^Job \S+ is pending\./) as string });
  expect(JSON.parse(retried.out)).toMatchObject({ status: 'completed', steps: [{ attempt: 1 }, { attempt: 2 }] });
  expect((await sluice('dead-letters', '--job', id)).err).toBe('No dead letters.\n');
  expect((await sluice('ingest', 'retry', id)).code).toBe(1);
});

test('dead letters are grouped and redriven by what they have in common; the stream has them', async () => {
  for (let n = 0; n < 2; n += 1) await sluice('ingest', 'start', '--pipeline', 'mended', '--tag', 'alike', '--wait');
  const groups = await sluice('dead-letters', '--groups', '--pipeline', 'mended', '-o', 'json');
  const [group] = (JSON.parse(groups.out) as DeadLetterGroups).items;
  expect(group).toMatchObject({ count: 2, step: 'second' });
  const bus = await NatsBus.connect({ url: stack.nats.url, name: 'spec', log: new TestLog() });
  const { streams } = await bus.jetStream(5_000);
  const asked = { last_by_subj: 'sluice.dead.mended.second' };
  const message = await until(() => streams.getMessage(DEAD_STREAM, asked), { what: 'the dead letter in the stream' });
  expect(message.json()).toMatchObject({ fingerprint: group?.fingerprint, payload: { options: { fail_attempts: 1 } } });
  await bus.close(1_000);
  const line = ['dead-letters', 'redrive', '--fingerprint', group?.fingerprint ?? '', '-o', 'json'];
  expect(JSON.parse((await sluice(...line)).out)).toEqual({ matched: 2, done: 2, skipped: 0 });
  const completed = async (): Promise<boolean> =>
    (await sluice('ingest', 'jobs', '--tag', 'alike', '--status', 'completed', '-o', 'ids')).out.split('\n').length ===
    3;
  await until(completed, { what: 'both jobs completed', deadlineMs: 20_000 });
});

describe('a job with a time of its own', () => {
  const quick = ['ingest', 'start', '--pipeline', 'quick', '-o', 'json'];
  /** What clocks show at that time that are so many hours ahead of UTC. */
  const clockAt = (timeMs: number, hours: number): string =>
    new Date(timeMs + hours * 3_600_000).toISOString().slice(0, 19);

  test('is waited for visibly, does not start early, and completes', async () => {
    const { code, out, err } = await sluice(...quick, '--countdown', '2', '--follow', '--timeout', '60');
    expect(code).toBe(0);
    expect(err).toMatch(/ is scheduled: it starts in [12] s, at \d{4}-/);
    expect(err).toMatch(/quick scheduled, starts in [12] s, at [\s\S]*job\.pending[\s\S]*job\.completed/);
    const { status, eta, queued_at, started_at, created_at } = JSON.parse(out) as JobView;
    const [due, queued, started] = [eta, queued_at, started_at].map((time) => Date.parse(time ?? ''));
    expect([status, (due ?? 0) - Date.parse(created_at)]).toEqual(['completed', 2_000]);
    expect(queued).toBeGreaterThanOrEqual(due ?? Number.NaN);
    expect(started).toBeGreaterThanOrEqual(queued ?? Number.NaN);
  });

  test('takes it with an offset, in local time, and in the past; and starts when it is told to', async () => {
    const hourAheadMs = Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000;
    const [withOffset, local, past] = await Promise.all([
      sluice(...quick, '--eta', `${clockAt(hourAheadMs, 2)}+02:00`),
      launchIn({ TZ: 'Asia/Kolkata' }, [...quick, '--eta', clockAt(hourAheadMs, 5.5)]).ended,
      sluice(...quick, '--eta', '2001-02-03T04:05:06Z', '--wait'),
    ]);
    const [first, second, third] = [withOffset, local, past].map(({ out }) => JSON.parse(out) as JobView);
    const expected = new Date(hourAheadMs).toISOString();
    expect([first, second]).toMatchObject([{ status: 'scheduled', eta: expected }, { eta: expected }]);
    expect(local.err).toMatch(/^Accepted\. It starts in (59 min \d\d s|1 h 00 min), at /);
    expect(third).toMatchObject({ status: 'completed', eta: '2001-02-03T04:05:06.000Z' });
    const started = await sluice('ingest', 'reschedule', second?.id ?? '', '--now', '--wait', '-o', 'json');
    expect([started.code, (JSON.parse(started.out) as JobView).status]).toEqual([0, 'completed']);
    const again = await sluice('ingest', 'reschedule', second?.id ?? '', '--now');
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('The job is completed') as string });
  });
});

test('a dependant waits, fails with the job that it needs, and begins once that one is mended', async () => {
  const start = ['ingest', 'start', '-o', 'ids', '--pipeline'];
  const needed = (await sluice(...start, 'mended', '--countdown', '600')).out.trim();
  const { out, err } = await sluice(...start, 'quick', '--depends-on', needed);
  expect(err).toContain(`It starts after the completion of 1 job: ${needed}.`);
  const dependant = out.trim();
  const { ended: watched } = launch('ingest', 'status', dependant, '--watch');
  expect((await sluice('ingest', 'reschedule', needed, '--now', '--wait')).code).toBe(5);
  const lost = await watched;
  expect(lost).toMatchObject({ code: 5, err: expect.stringContaining(`sluice ingest retry ${needed}\n`) as string });
  expect(lost.out).toMatch(new RegExp(`^Error +permanent: job ${needed}, which it depends on, failed`, 'm'));
  const mended = await sluice('ingest', 'retry', needed, '--wait', '-o', 'json');
  expect(mended.code).toBe(0);
  const job = await until(async () => {
    const answer = await fetch(`${stack.url}/v1/ingest/${dependant}`);
    const view = (await answer.json()) as JobView;
    return view.status === 'completed' && view;
  });
  const completedAt = Date.parse((JSON.parse(mended.out) as JobView).completed_at ?? '');
  const delayMs = Date.parse(job.queued_at ?? '') - completedAt;
  expect(delayMs).toBeGreaterThanOrEqual(0);
  expect(delayMs).toBeLessThan(1_000);
});

test('a job that is held is cancelled at once, held again by a retry, and can go on after all', async () => {
  const { out } = await sluice('ingest', 'start', '--pipeline', 'mended', '--countdown', '600', '-o', 'ids');
  const cancelled = await sluice('ingest', 'stop', out.trim(), '--wait', '-o', 'json');
  expect([cancelled.code, (JSON.parse(cancelled.out) as JobView).status]).toEqual([0, 'cancelled']);
  expect((await sluice('ingest', 'status', out.trim(), '--watch')).code).toBe(6);
  expect((await sluice('ingest', 'retry', out.trim())).err).toMatch(/^It starts in \d+ min \d\d s, at /);
  expect((await sluice('ingest', 'reschedule', out.trim(), '--now', '--wait')).code).toBe(5);
});

test('a job that runs is stopped on its worker, and said to be cancelled while it is watched', async () => {
  const { out } = await sluice('ingest', 'start', '--pipeline', 'slow', '-o', 'ids');
  const id = out.trim();
  const { ended: watched } = launch('ingest', 'status', id, '--watch');
  const running = async (): Promise<boolean> =>
    (JSON.parse((await sluice('ingest', 'status', id, '-o', 'json')).out) as JobView).steps[0]?.status === 'running';
  await until(running, { what: 'the step to run', deadlineMs: 20_000 });
  const cancelled = await sluice('ingest', 'cancel', id, '--wait', '--timeout', '20', '-o', 'json');
  expect(cancelled.code).toBe(0);
  expect(JSON.parse(cancelled.out)).toMatchObject({
    status: 'cancelled',
    steps: [{ status: 'cancelled', attempt: 1 }],
  });
  const { code, err } = await watched;
  expect(code).toBe(6);
  expect(err).toMatch(/job\.cancelling[\s\S]*step\.cancelled {2}long[\s\S]*job\.cancelled/);
  const attempts = await sluice('ingest', 'attempts', id, '-o', 'json');
  expect((JSON.parse(attempts.out) as { items: AttemptView[] }).items).toMatchObject([{ outcome: 'cancelled' }]);
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
  expect(out.trim().split('\n').sort()).toEqual(['broken', 'flaky', 'mended', 'pause', 'quick', 'repository', 'slow']);
});

test('a schedule runs every second, each second once, though the scheduler dies in the middle of a commit', async () => {
  const runs = ['--pipeline', 'quick', '--overlap', 'allow', '--catch-up', 'all'];
  const { code, out, err } = await sluice('schedules', 'create', '--cron', '* * * * * *', ...runs, '-o', 'ids');
  const id = out.trim();
  expect([code, err]).toEqual([0, expect.stringMatching(/^Every second \(UTC\): runs next .*, at /)]);
  const jobs = () =>
    stack.query<{ id: string; status: string; due: number; late: number }>(
      `SELECT id, status, extract(epoch FROM eta)::float8 AS due, extract(epoch FROM queued_at - eta)::float8 AS late
       FROM jobs WHERE schedule_id = $1 ORDER BY eta`,
      [id],
    );
  const completed = async (): Promise<number> => (await jobs()).filter(({ status }) => status === 'completed').length;
  await until(async () => (await completed()) >= 1, { what: 'its first job', deadlineMs: 20_000 });
  await stack.scheduler.kill();
  await stack.scheduler.startUnready({ SLUICE_INTERNAL_FAILPOINTS: 'scheduler.runs_inserted=kill@1' });
  expect(await stack.scheduler.exit()).toMatchObject({ signal: 'SIGKILL' });
  const before = await completed();
  await stack.scheduler.start();
  await until(async () => (await completed()) >= before + 2, { what: 'jobs after that', deadlineMs: 20_000 });
  expect((await sluice('schedules', 'update', id, '--disable')).code).toBe(0);
  const all = await jobs();
  expect(all.map(({ due }) => due)).toEqual(all.map((_, index) => (all[0]?.due ?? 0) + index));
  expect(all.filter(({ late }) => late < 0)).toEqual([]);
  const shown = JSON.parse((await sluice('schedules', 'show', id, '-o', 'json')).out) as ScheduleView;
  expect(shown.last_jobs.map((job) => job.id)).toEqual(
    all
      .map((job) => job.id)
      .reverse()
      .slice(0, 5),
  );
  const deleted = await sluice('schedules', 'delete', id, '-o', 'ids');
  expect(deleted).toMatchObject({ code: 0, out: `${id}\n` });
}, 60_000);
