import { SHORT_TIMES, submitMany } from '../faults/oracle';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';

let stack: TestStack;

beforeAll(async () => {
  const pipelines = `
resources: { llm: { max_tokens: 2 } }
pipelines:
  limited: { steps: [{ name: asks, uses: noop, resources: { llm: 1 }, options: { duration_ms: 50 } }] }
`;
  stack = await TestStack.start({ workers: 1, pipelines, env: SHORT_TIMES });
}, 60_000);

afterAll(() => stack.stop(), 60_000);

it('runs steps that hold tokens of a pool of the file, no more at once than it has, and gives all back', async () => {
  const jobs = await submitMany(stack, 20, { pipeline: 'limited' });
  const completed = `SELECT FROM jobs WHERE id = ANY ($1) AND status = 'completed'`;
  const all = async (): Promise<boolean> => (await stack.query(completed, [jobs])).length === jobs.length;
  await until(all, { deadlineMs: 30_000, everyMs: 100, what: 'the end of all jobs' });
  expect(await stack.query(`SELECT name, used, max FROM pools`)).toEqual([{ name: 'resource:llm', used: 0, max: 2 }]);
  const [most] = await stack.query<{ most: number }>(
    `SELECT max((SELECT count(*) FROM attempts b WHERE b.started_at <= a.started_at AND b.finished_at > a.started_at))::int
       AS most FROM attempts a`,
  );
  expect(most?.most).toBeLessThanOrEqual(2);
}, 60_000);
