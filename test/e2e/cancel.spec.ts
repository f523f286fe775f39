import { SHORT_TIMES } from '../faults/oracle';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import { testHandlers } from '../support/test-handlers';

let stack: TestStack;

beforeAll(async () => {
  const pipelines = `
pipelines:
  blocks: { steps: [{ name: computes, uses: test_block, options: { block_ms: 10000 } }] }
  endless: { steps: [{ name: first, uses: noop, options: { duration_ms: 3600000 } }, { name: second, uses: noop }] }
`;
  stack = await TestStack.start({
    workers: 2,
    pipelines,
    env: { ...SHORT_TIMES, ...testHandlers(''), SLUICE_GRACE: '1s' },
  });
}, 60_000);

afterAll(() => stack.stop(), 60_000);

/** A job with a step that runs and has been recorded as running. */
async function running(pipeline = 'endless'): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ pipeline });
  const response = await fetch(`${stack.url}/v1/ingest`, { method: 'POST', headers, body });
  const { id } = (await response.json()) as { id: string };
  const runs = `SELECT FROM steps WHERE job_id = $1 AND status = 'running'`;
  await until(async () => (await stack.query(runs, [id])).length === 1, { deadlineMs: 10_000, what: 'a running step' });
  return id;
}

async function untilCancelled(id: string, deadlineMs: number): Promise<void> {
  const ended = `SELECT FROM jobs WHERE id = $1 AND status = 'cancelled'`;
  await until(async () => (await stack.query(ended, [id])).length === 1, { deadlineMs, what: 'the end of the job' });
}

const shown = async (id: string): Promise<{ steps: { status: string; attempt: number }[]; status: string }> =>
  (await fetch(`${stack.url}/v1/ingest/${id}`)).json() as Promise<never>;

it('that a gateway has committed before it died is brought to its end by the scheduler', async () => {
  const id = await running();
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now() WHERE id = $1`, [id]);
  await untilCancelled(id, 5_000);
  expect(await shown(id)).toMatchObject({
    status: 'cancelled',
    steps: [
      { name: 'first', status: 'cancelled', attempt: 1, last_error: { kind: 'cancelled' } },
      { name: 'second', status: 'cancelled', attempt: 0, last_error: null },
    ],
  });
  const attempts = await stack.query(
    'SELECT outcome, duration_ms > 0 AS lasted, memory_mb > 0 AS measured FROM attempts WHERE job_id = $1',
    [id],
  );
  expect(attempts).toEqual([{ outcome: 'cancelled', lasted: true, measured: true }]);
}, 30_000);

it('reaches a worker that missed the word with the next renewal of its lease', async () => {
  const id = await running();
  // With its mark set, nobody sends a word any more.
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now(), cancel_mark = now() WHERE id = $1`, [
    id,
  ]);
  await untilCancelled(id, 10_000);
}, 30_000);

it('does not wait for a worker whose event loop is blocked by another job', async () => {
  const blocking = await running('blocks');
  const id = await running();
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now() WHERE id = $1`, [id]);
  await untilCancelled(id, 15_000);
  // The fault was there all the time.
  expect(await shown(blocking)).toMatchObject({ status: 'running' });
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now() WHERE id = $1`, [blocking]);
  await until(async () => (await shown(blocking)).status !== 'cancelling', { deadlineMs: 30_000, what: 'its end' });
  // What was completed in spite of the cancel is completed.
  expect(await shown(blocking)).toMatchObject({ status: 'completed' });
}, 60_000);

it('ends although the worker that ran the step died, and counts that as a crash', async () => {
  const [victim] = stack.workers;
  const other = stack.workers[1];
  await other?.stop();
  const id = await running();
  await victim?.kill();
  await stack.query(`UPDATE jobs SET status = 'cancelling', cancel_at = now() WHERE id = $1`, [id]);
  await untilCancelled(id, 10_000);
  expect(await stack.query('SELECT outcome, duration_ms FROM attempts WHERE job_id = $1', [id])).toEqual([
    { outcome: 'crashed', duration_ms: null },
  ]);
}, 30_000);
