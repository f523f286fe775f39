import { NatsBus } from '#shared/bus/nats-bus';
import type { WorkerList } from '#shared/contracts/fleet';
import { WORK_STREAM } from '#shared/contracts/subjects';
import type { HealthAnswer } from '#shared/runtime/health/health.controller';
import { freeze } from '../integration/bus-stage';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import type { TestService } from '../support/test-service';

const LONG = { deadlineMs: 90_000, everyMs: 100 };
/** Each part has 1.5 s; the rest is for a busy machine. */
const PROBE_LIMIT_MS = 8_000;

let stack: TestStack;
let worker: TestService;

beforeAll(async () => {
  stack = await TestStack.start({ services: ['gateway'], workers: 1, env: { SLUICE_GRACE: '1s' } });
  worker = stack.workers[0] as TestService;
}, 180_000);
afterAll(() => stack.stop(), 60_000);

async function ready(): Promise<{ code: number; answer: HealthAnswer; tookMs: number }> {
  const startedAtMs = performance.now();
  const response = await fetch(`${worker.url}/health/ready`);
  const answer = (await response.json()) as HealthAnswer;
  return { code: response.status, answer, tookMs: performance.now() - startedAtMs };
}

const becomesReady = (): Promise<unknown> => until(async () => (await ready()).code === 200, LONG);

it('a worker is ready when it has its servers and its lease and can pull', async () => {
  await becomesReady();
  const up = { state: 'up', required: true };
  expect((await ready()).answer).toEqual({ status: 'ok', parts: { postgres: up, nats: up, lease: up, consumers: up } });
});

it('says that nothing can be pulled when the work queue is not what it should be, though both servers answer', async () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const bus = await NatsBus.connect({ url: stack.nats.url, name: 'worker-health-spec', log });
  try {
    const { streams } = await bus.jetStream(10_000);
    await streams.delete(WORK_STREAM);
    // Whichever is first: the worker makes the right one at once.
    await until(async () => {
      await streams.delete(WORK_STREAM).catch(() => undefined);
      await streams.add({ name: WORK_STREAM, subjects: ['sluice.work.>'] });
      return true;
    }, LONG);
    const { answer } = await until(async () => {
      const found = await ready();
      return found.code === 503 && found;
    }, LONG);
    expect(answer.parts.nats).toEqual({ state: 'up', required: true });
    expect(answer.parts.consumers).toMatchObject({
      ...{
        state: 'down',
        required: true,
        reason: expect.stringMatching(/^nothing can be pulled of /) as string,
      },
    });
    await streams.delete(WORK_STREAM);
    await becomesReady();
  } finally {
    await bus.close(1_000);
  }
}, 300_000);

it('answers in time and without a key while NATS stands still, and is ready again once it goes on', async () => {
  await freeze(stack.nats);
  try {
    const { answer } = await until(async () => {
      const found = await ready();
      expect(found.tookMs).toBeLessThan(PROBE_LIMIT_MS);
      return found.code === 503 && found;
    }, LONG);
    expect(answer.parts.nats).toMatchObject({ state: 'down' });
    expect(answer.parts.postgres).toMatchObject({ state: 'up' });
    expect((await fetch(`${worker.url}/health/live`)).status).toBe(200);
  } finally {
    process.kill(stack.nats.pid, 'SIGCONT');
  }
  await becomesReady();
}, 300_000);

it('a worker that was killed is listed as gone within 30 s, with what is known of it', async () => {
  const listed = async (): Promise<WorkerList['items'][number] | undefined> => {
    const { items } = (await (await fetch(`${stack.url}/v1/workers`)).json()) as WorkerList;
    return items.find(({ name, status }) => name.endsWith(`-${worker.pid}`) && status === 'alive');
  };
  const alive = await until(async () => {
    const found = await listed();
    return found !== undefined && found.cpu_percent !== null && found;
  }, LONG);
  expect(alive).toMatchObject({ capacity: 50, running: 0, version: expect.stringMatching(/^\d+\.\d+/) as string });
  expect(alive.memory_mb).toBeGreaterThan(20);
  await worker.kill();
  await until(async () => (await listed()) === undefined, { deadlineMs: 30_000, everyMs: 100 });
}, 200_000);
