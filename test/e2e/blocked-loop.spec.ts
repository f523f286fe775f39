import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHORT_TIMES, submitMany } from '../faults/oracle';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import { type Effect, readEffects, testHandlers } from '../support/test-handlers';
import type { TestService } from '../support/test-service';

/** Longer than lease, ack wait and the sweep's margin together with its look. */
const BLOCK_MS = 9_000;
const PIPELINES = `
retry: { max_retries: 0 }
pipelines:
  blocks: { steps: [{ name: computes, uses: test_block, options: { block_ms: ${BLOCK_MS} } }] }
  for_ever: { steps: [{ name: hangs, uses: test_block, timeout: 500ms, options: { block_ms: 3600000 } }] }
  waits: { steps: [{ name: waits, uses: test_wait, options: { wait_ms: 3000 } }] }
  quick: { steps: [{ name: one, uses: test_effect }, { name: two, uses: test_effect }] }
`;

let folder: string;
let effectsFile: string;
let stack: TestStack;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-blocked-'));
  effectsFile = join(folder, 'effects');
  const env = { ...SHORT_TIMES, ...testHandlers(effectsFile), SLUICE_INTERNAL_STUCK_AFTER: '1s' };
  stack = await TestStack.start({ workers: 2, services: ['gateway', 'scheduler'], pipelines: PIPELINES, env });
}, 60_000);

afterAll(async () => {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function submit(pipeline: string): Promise<string> {
  const [id = ''] = await submitMany(stack, 1, { pipeline });
  return id;
}

const effectsOf = async (job: string): Promise<Effect[]> =>
  (await readEffects(effectsFile)).filter(({ jobId }) => jobId === job);

async function whereBegun(job: string): Promise<TestService> {
  const [effect] = await until(async () => {
    const effects = await effectsOf(job);
    return effects.length > 0 && effects;
  });
  const worker = stack.workers.find(({ pid }) => pid === effect?.pid);
  if (!worker) throw new Error('it began in no worker of this stack');
  return worker;
}

async function untilCompleted(jobs: readonly string[]): Promise<void> {
  const ended = `SELECT FROM jobs WHERE id = ANY($1) AND status = 'completed'`;
  const all = async (): Promise<boolean> => (await stack.query(ended, [jobs])).length === jobs.length;
  await until(all, { deadlineMs: 40_000, everyMs: 100, what: 'the end of the jobs' });
}

/** The worker's lines that hold the text, parsed. */
const said = (worker: TestService, text: string): Record<string, unknown>[] =>
  worker.lines.filter((line) => line.includes(text)).map((line) => JSON.parse(line) as Record<string, unknown>);

it('runs a handler once that blocks the event loop for longer than any time-out, and names it', async () => {
  const job = await submit('blocks');
  const worker = await whereBegun(job);
  const row = 'SELECT status, epoch, crashes FROM steps WHERE job_id = $1';
  await until(async () => (await stack.query(row, [job])).length > 0, { what: 'the record that it runs' });
  expect(await stack.query(row, [job])).toEqual([{ status: 'running', epoch: 1, crashes: 0 }]);
  expect(said(worker, 'turns again')).toEqual([]);

  await untilCompleted([job]);
  expect(await effectsOf(job)).toHaveLength(1);
  expect(await stack.query(row, [job])).toEqual([{ status: 'completed', epoch: 1, crashes: 0 }]);
  expect(await stack.query('SELECT outcome FROM attempts WHERE job_id = $1', [job])).toEqual([
    { outcome: 'completed' },
  ]);
  // No lease was lost: each worker has registered once.
  expect(await stack.query('SELECT FROM workers')).toHaveLength(2);
  const [blocked, ...again] = said(worker, 'the event loop is blocked');
  expect(blocked).toMatchObject({
    ...{ level: 'warn', service: 'step-worker', pid: worker.pid, running: 1 },
    steps: [{ step: 'computes', handler: 'test_block', job }],
  });
  expect(blocked?.blocked_ms).toBeGreaterThanOrEqual(1_000);
  expect(again.length).toBeGreaterThanOrEqual(2);
  const [over] = await until(() => {
    const lines = said(worker, 'turns again');
    return lines.length > 0 && lines;
  });
  expect(over?.blocked_ms).toBeGreaterThan(BLOCK_MS / 2);
  await until(() => said(worker, 'slept through a lease').length > 0, { what: 'that it noticed' });
}, 90_000);

it('begins nothing that lay in its socket meanwhile and was delivered to others', async () => {
  const blocking = await submit('blocks');
  const blocked = await whereBegun(blocking);
  const slept = said(blocked, 'slept through a lease').length;
  const jobs = await submitMany(stack, 40, { pipeline: 'quick' });
  await untilCompleted([...jobs, blocking]);
  // The fault fired: some waited in the blocked worker's socket until their ack wait was over.
  const waited = `SELECT FROM jobs WHERE id = ANY($1) AND completed_at - created_at > interval '3 s'`;
  expect((await stack.query(waited, [jobs])).length).toBeGreaterThan(0);
  await until(() => said(blocked, 'slept through a lease').length > slept, { what: 'that it noticed' });
  const after = await submit('quick');
  await untilCompleted([after]);
  const quick = new Set([...jobs, after]);
  const effects = (await readEffects(effectsFile)).filter(({ jobId }) => quick.has(jobId));
  expect(effects).toHaveLength(2 * (jobs.length + 1));
  expect(new Set(effects.map(({ jobId, step }) => `${jobId} ${step}`)).size).toBe(effects.length);
}, 90_000);

it('ends the worker when the loop is blocked long after the time-out of a step', async () => {
  const job = await submit('for_ever');
  const worker = await whereBegun(job);
  expect(await worker.exit()).toMatchObject({ signal: 'SIGKILL' });
  // Or it would end the next one too.
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now() WHERE id = $1`, [job]);
  expect(said(worker, 'blocked long after')).toMatchObject([{ level: 'fatal', step: 'hangs', handler: 'test_block' }]);
  await worker.start();
}, 60_000);

it('loses its lease when the whole process stands still, and records nothing of what it then finds done', async () => {
  const job = await submit('waits');
  const worker = await whereBegun(job);
  const running = `SELECT FROM steps WHERE job_id = $1 AND status = 'running'`;
  await until(async () => (await stack.query(running, [job])).length > 0, { what: 'the record that it runs' });
  const slept = said(worker, 'slept through a lease').length;
  const registered = said(worker, 'registered anew').length;
  worker.signal('SIGSTOP');
  await until(async () => (await effectsOf(job)).length === 2, { deadlineMs: 20_000, what: 'the other worker at it' });
  worker.signal('SIGCONT');
  await until(() => said(worker, 'registered anew').length > registered, { what: 'a new lease' });
  await untilCompleted([job]);
  const attempts = await stack.query('SELECT outcome FROM attempts WHERE job_id = $1 ORDER BY epoch', [job]);
  expect(attempts).toEqual([{ outcome: 'crashed' }, { outcome: 'completed' }]);
  expect(said(worker, 'slept through a lease')).toHaveLength(slept);
}, 90_000);

it('begins a second time when nothing speaks for the blocked loop (the negative control)', async () => {
  await Promise.all(
    stack.workers.map(async (worker) => {
      await worker.kill();
      await worker.start({ SLUICE_INTERNAL_NO_HELP_WHEN_BLOCKED: 'true' });
    }),
  );
  const job = await submit('blocks');
  const twice = async (): Promise<boolean> => (await effectsOf(job)).length > 1;
  await until(twice, { deadlineMs: 30_000, what: 'a second begin' });
}, 90_000);
