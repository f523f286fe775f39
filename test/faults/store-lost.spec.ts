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

it('loses and doubles nothing when nats-server is killed and its store is gone', async () => {
  const accepted = await submitMany(stack, JOBS);
  await until(async () => (await countJobs(stack, 'completed')) > JOBS / 6, { deadlineMs: 60_000, what: 'the middle' });
  // The sweep is what heals this. Without it (the negative control) the jobs stay where they are.
  await stack.scheduler.stop();
  await stack.nats.kill();
  await stack.nats.wipeStore();
  await stack.nats.start();
  await until(async () => (await messagesLeft(stack)) === 0, { deadlineMs: 10_000, what: 'the stream made anew' });
  const running = `SELECT count(*)::int AS count FROM steps s JOIN workers w ON w.id = s.worker
                   WHERE s.status = 'running' AND w.lease_until > now()`;
  await until(async () => (await stack.query<{ count: number }>(running))[0]?.count === 0, {
    deadlineMs: 30_000,
    what: 'the end of what the workers had',
  });
  const lost = (await countJobs(stack, 'pending')) + (await countJobs(stack, 'running'));
  expect(lost).toBeGreaterThan(0);
  expect(await messagesLeft(stack)).toBe(0);

  await stack.scheduler.start();
  await untilAllEnded(stack, 90_000);
  expect(await judge(stack, accepted, 3)).toEqual(SPOTLESS);
  await until(async () => (await messagesLeft(stack)) === 0, { deadlineMs: 30_000, what: 'an empty work stream' });
}, 180_000);
