import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import {
  countJobs,
  judge,
  messagesLeft,
  SHORT_TIMES,
  SPOTLESS,
  submitMany,
  THREE_STEPS,
  untilAllEnded,
} from './oracle';

const JOBS = 3_000;

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ workers: 2, pipelines: THREE_STEPS, env: SHORT_TIMES });
}, 60_000);

afterAll(() => stack.stop(), 60_000);

it('loses and doubles nothing when one of two workers is killed in the middle of thousands of jobs', async () => {
  const accepted = await submitMany(stack, JOBS);
  await until(async () => (await countJobs(stack, 'completed')) > JOBS / 6, { deadlineMs: 60_000, what: 'the middle' });
  const [victim] = stack.workers;
  const running = `SELECT count(*)::int AS count FROM steps s JOIN workers w ON w.id = s.worker
                   WHERE s.status = 'running' AND w.pid = $1`;
  await victim?.kill();
  const [atKill] = await stack.query<{ count: number }>(running, [victim?.pid]);
  // The fault fired: it died with steps at work and jobs left.
  expect(atKill?.count).toBeGreaterThan(0);
  expect(await countJobs(stack, 'completed')).toBeLessThan(JOBS);

  await untilAllEnded(stack, 60_000);
  expect(await judge(stack, accepted, 3)).toEqual(SPOTLESS);
  const workers = await stack.query('SELECT DISTINCT worker FROM attempts');
  expect(workers.length).toBeGreaterThanOrEqual(2);
  const [crashes] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM attempts WHERE outcome = 'crashed'`,
  );
  expect(crashes?.count).toBeLessThanOrEqual(atKill?.count ?? 0);
  await until(async () => (await messagesLeft(stack)) === 0, { deadlineMs: 30_000, what: 'an empty work stream' });
}, 150_000);
