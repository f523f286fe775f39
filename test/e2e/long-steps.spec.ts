import { SHORT_TIMES } from '../faults/oracle';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';

let stack: TestStack;

beforeAll(async () => {
  const pipelines = `
pipelines:
  long: { steps: [{ name: only, uses: noop, options: { duration_ms: 9000 } }] }
  endless: { steps: [{ name: only, uses: noop, options: { duration_ms: 3600000 } }] }
`;
  stack = await TestStack.start({ workers: 1, pipelines, env: { ...SHORT_TIMES, SLUICE_GRACE: '1s' } });
}, 60_000);

afterAll(() => stack.stop(), 60_000);

async function submit(pipeline: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ pipeline });
  const response = await fetch(`${stack.url}/v1/ingest`, { method: 'POST', headers, body });
  return ((await response.json()) as { id: string }).id;
}

const attemptsOf = (job: string) => stack.query('SELECT outcome FROM attempts WHERE job_id = $1', [job]);

it('runs a step once that takes more than twice the ack wait', async () => {
  const job = await submit('long');
  const ended = `SELECT FROM jobs WHERE id = $1 AND status = 'completed'`;
  await until(async () => (await stack.query(ended, [job])).length === 1, { deadlineMs: 30_000, what: 'its end' });
  expect(await attemptsOf(job)).toEqual([{ outcome: 'completed' }]);
  expect(await stack.query('SELECT epoch, crashes FROM steps WHERE job_id = $1', [job])).toEqual([
    { epoch: 1, crashes: 0 },
  ]);
}, 60_000);

it('hands a step back that outlasts the grace time, burns no attempt, and exits with 0', async () => {
  const job = await submit('endless');
  const running = `SELECT worker FROM steps WHERE job_id = $1 AND status = 'running'`;
  const [first] = await until(async () => {
    const rows = await stack.query<{ worker: string }>(running, [job]);
    return rows.length === 1 && rows;
  });
  const [drained] = stack.workers;
  await stack.addWorker();
  expect(await drained?.stop()).toMatchObject({ code: 0 });
  await until(
    async () => {
      const [now] = await stack.query<{ worker: string }>(running, [job]);
      return now !== undefined && now.worker !== first?.worker;
    },
    { deadlineMs: 3_000, what: 'another worker at it, long before any ack wait' },
  );
  expect(await attemptsOf(job)).toEqual([]);
  expect(await stack.query('SELECT retry_count, crashes FROM steps WHERE job_id = $1', [job])).toEqual([
    { retry_count: 0, crashes: 0 },
  ]);
}, 60_000);
