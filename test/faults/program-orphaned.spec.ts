import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../support/poll';
import { isAlive, pidsNaming, untilGone } from '../support/processes';
import { TestStack } from '../support/stack';
import type { TestService } from '../support/test-service';
import { STEADY_TIMES } from './oracle';

/** How long what would live on for ever may take to die, on a busy machine. */
const GONE_WITHIN_MS = 20_000;
/** The first attempt of each goes on for ever, with a child of its own; the next completes at once. */
const pipelinesWith = (url: string): string => `
pipelines:
  program:
    steps:
      - name: only
        uses: command
        options:
          command: [sh, -c, 'if [ "$SLUICE_ATTEMPT" = 1 ]; then sleep 1000 & echo "::progress 5 $$ $!"; sleep 1000; fi; echo "{}"']
  isolated:
    steps: [{ name: only, uses: http, isolation: process, options: { url: "${url}" } }]
`;

let stack: TestStack;
let server: Server;

let calls = 0;

/** Leaves the first call without an answer. */
async function startServer(): Promise<string> {
  server = createServer((_, response) => {
    calls += 1;
    if (calls > 1) response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  const pipelines = pipelinesWith(await startServer());
  stack = await TestStack.start({ workers: 2, services: ['gateway', 'scheduler'], pipelines, env: STEADY_TIMES });
}, 60_000);

afterAll(async () => {
  await stack.stop();
  server.closeAllConnections();
  server.close();
}, 60_000);

async function submit(pipeline: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${stack.url}/v1/ingest`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ pipeline }),
  });
  return ((await response.json()) as { id: string }).id;
}

/** The worker that the database says runs the job, and what its step has said. */
async function untilRunning(job: string): Promise<{ worker: TestService; message: string | null }> {
  const sql = `SELECT w.pid, s.message FROM steps s JOIN workers w ON w.id = s.worker
               WHERE s.job_id = $1 AND s.status = 'running' AND (s.message IS NOT NULL OR $2)`;
  const isQuiet = (await stack.query('SELECT FROM jobs WHERE id = $1 AND pipeline = $2', [job, 'isolated'])).length > 0;
  const [row] = await until(
    async () => {
      const rows = await stack.query<{ pid: number; message: string | null }>(sql, [job, isQuiet]);
      return rows.length === 1 && rows;
    },
    { deadlineMs: 30_000, what: 'a step at work' },
  );
  const worker = stack.workers.find(({ pid }) => pid === row?.pid);
  if (!worker) throw new Error('no worker of the stack runs it');
  return { worker, message: row?.message ?? null };
}

const untilCompleted = (job: string): Promise<unknown> =>
  until(
    async () => (await stack.query(`SELECT FROM jobs WHERE id = $1 AND status = 'completed'`, [job])).length === 1,
    {
      deadlineMs: 30_000,
      what: 'its end',
    },
  );

const outcomesOf = async (job: string): Promise<string[]> =>
  (await stack.query<{ outcome: string }>('SELECT outcome FROM attempts WHERE job_id = $1 ORDER BY number', [job])).map(
    ({ outcome }) => outcome,
  );

async function expectOneCrash(job: string): Promise<void> {
  expect(await outcomesOf(job)).toEqual(['crashed', 'completed']);
  expect(await stack.query('SELECT retry_count, crashes FROM steps WHERE job_id = $1', [job])).toEqual([
    { retry_count: 0, crashes: 1 },
  ]);
}

it('kill -9 of a worker: all that its program started dies too, and another worker runs it again', async () => {
  const job = await submit('program');
  const { worker, message } = await untilRunning(job);
  const pids = (message ?? '').split(' ').map(Number);
  expect(await Promise.all(pids.map(isAlive))).toEqual([true, true]);
  await worker.kill();
  await untilGone(pids, GONE_WITHIN_MS);
  await untilCompleted(job);
  await expectOneCrash(job);
  await worker.start();
}, 90_000);

it('kill -9 of a worker: a step in a process of its own dies too, and is run again', async () => {
  const job = await submit('isolated');
  const { worker } = await untilRunning(job);
  await until(() => calls === 1, { deadlineMs: 30_000, what: 'the call of the first attempt' });
  const pids = await pidsNaming(job);
  expect(pids).not.toEqual([]);
  await worker.kill();
  await untilGone(pids, GONE_WITHIN_MS);
  await untilCompleted(job);
  await expectOneCrash(job);
}, 90_000);
