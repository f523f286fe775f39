import { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { ensureTopology } from '#shared/bus/topology';
import type { DeadLetterMessage } from '#shared/contracts/dead-letter';
import { DEAD_STREAM, WORK_STREAM } from '#shared/contracts/subjects';
import { createLogger } from '#shared/runtime/logger';
import { DeadLetterOutbox } from '#shared/store/jobs/dead-letter-outbox';
import { DeadLetterMirror } from '../../apps/scheduler/src/dead-letter-mirror';
import { until } from '../support/poll';
import { CHAIN } from '../support/drafts';
import { startTestNats, type TestNats } from '../support/test-nats';
import { TestLog } from './bus-stage';
import { type CoreStage, openStage } from './core-stage';
import { PretendWorker } from './pretend-worker';

let stage: CoreStage;
let nats: TestNats;
let bus: NatsBus;
let publisher: Publisher;
let worker: PretendWorker;
let mirror: DeadLetterMirror;
let lines: string[];

beforeAll(async () => {
  [stage, nats] = await Promise.all([openStage(), startTestNats()]);
  worker = await PretendWorker.start(stage.server.url);
});
afterAll(async () => {
  await worker.stop();
  await nats.stop();
  await stage.close();
});
beforeEach(async () => {
  await stage.server.query('TRUNCATE jobs, steps, attempts, dead_letters');
  bus = await NatsBus.connect({ url: nats.url, name: 'mirror-spec', log: new TestLog() });
  publisher = new Publisher(bus, { timeoutMs: 2_000 });
  await ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 });
  lines = [];
  mirror = newMirror();
});
afterEach(async () => {
  const { streams } = await bus.jetStream(2_000);
  await streams.delete(DEAD_STREAM).catch(() => false);
  await publisher.drain(1_000);
  await bus.close(1_000);
});

function newMirror(): DeadLetterMirror {
  const out = { write: (line: string): void => void lines.push(line) };
  const log = createLogger({ service: 'scheduler', level: 'info', form: 'json', out });
  return new DeadLetterMirror(bus, new DeadLetterOutbox(database, stage.pipelines), publisher, log);
}

let database: Awaited<ReturnType<CoreStage['connect']>>;
beforeAll(async () => {
  database = await stage.connect();
});

async function failJobs(count: number): Promise<string[]> {
  const pipeline = await stage.save(CHAIN);
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const id = await stage.put(pipeline, { fields: { status: 'pending' } });
    await worker.fail(id);
    ids.push(id);
  }
  return ids;
}

async function stored(): Promise<DeadLetterMessage[]> {
  const { streams } = await bus.jetStream(2_000);
  const { state } = await streams.info(DEAD_STREAM);
  const messages: DeadLetterMessage[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
    const message = await streams.getMessage(DEAD_STREAM, { seq });
    expect(message.subject).toBe('sluice.dead.tried.a');
    messages.push(message.json<DeadLetterMessage>());
  }
  return messages;
}

const unmirrored = async (): Promise<number> =>
  (await stage.server.query<{ n: number }>('SELECT count(*)::int AS n FROM dead_letters WHERE NOT mirrored'))[0]?.n ??
  -1;

it('the stream keeps its messages by limits, refuses when it is full, and can be browsed', async () => {
  const { streams } = await bus.jetStream(2_000);
  const { config } = await streams.info(DEAD_STREAM);
  expect(config).toMatchObject({
    subjects: ['sluice.dead.>'],
    ...{ retention: 'limits', storage: 'file', discard: 'new', max_msgs: 1_000_000, allow_direct: true },
    max_age: 30 * 86_400 * 1e9,
    description: expect.stringMatching(/^Sluice: /) as string,
  });
  await streams.update(DEAD_STREAM, { max_msgs: 5, description: 'by hand' });
  await ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 });
  const again = await streams.info(DEAD_STREAM);
  expect([again.config.max_msgs, again.config.description]).toEqual([5, config.description]);
});

it('sends each once, in order, also when two schedulers do', async () => {
  const ids = await failJobs(5);
  const pauses = await Promise.all([mirror.runOnce(), newMirror().runOnce()]);
  expect(pauses).toEqual([1_000, 1_000]);
  expect((await stored()).map(({ job_id }) => job_id)).toEqual(ids);
  expect((await stored())[0]).toMatchObject({
    pipeline: 'tried',
    step: 'a',
    run: 1,
    attempts: 1,
    payload: { input: {} },
  });
  expect(await unmirrored()).toBe(0);
  await mirror.runOnce();
  expect(await stored()).toHaveLength(5);
});

it('one that was sent before its row was marked is not there twice', async () => {
  await failJobs(1);
  await mirror.runOnce();
  await stage.server.query('UPDATE dead_letters SET mirrored = false');
  await mirror.runOnce();
  expect([(await stored()).length, await unmirrored()]).toEqual([1, 0]);
});

it('goes on at once while there is more', async () => {
  await failJobs(201);
  expect(await mirror.runOnce()).toBe(0);
  expect(await mirror.runOnce()).toBe(1_000);
  expect((await stored()).length).toBe(201);
});

it('a failure again after a retry is another message', async () => {
  const [id = ''] = await failJobs(1);
  await mirror.runOnce();
  await worker.retry(id);
  await worker.fail(id);
  await mirror.runOnce();
  expect((await stored()).map(({ run, attempts }) => [run, attempts])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

it('a full stream is said once, keeps nobody waiting, and is gone on with when it has room', async () => {
  const { streams } = await bus.jetStream(2_000);
  await streams.update(DEAD_STREAM, { max_msgs: 2 });
  await failJobs(4);
  expect(await mirror.runOnce()).toBe(5_000);
  expect([(await stored()).length, await unmirrored()]).toEqual([2, 2]);
  await mirror.runOnce();
  await mirror.runOnce();
  const said = lines.map((line) => JSON.parse(line) as { level: string; msg: string; reason?: string });
  expect(said).toMatchObject([
    { msg: expect.stringMatching(/^SLUICE_DEAD does not take dead letters; they are kept/) as string },
  ]);
  expect(said[0]?.reason).toMatch(/maximum messages exceeded/);
  await streams.purge(DEAD_STREAM);
  expect(await mirror.runOnce()).toBe(0);
  await mirror.runOnce();
  expect([(await stored()).length, await unmirrored(), lines.length]).toEqual([2, 0, 2]);
});

it('a lost stream is made anew', async () => {
  const { streams } = await bus.jetStream(2_000);
  await streams.delete(DEAD_STREAM);
  await failJobs(3);
  expect(await mirror.runOnce()).toBe(5_000);
  expect(lines).toHaveLength(1);
  expect(await mirror.runOnce()).toBe(0);
  await mirror.runOnce();
  expect([(await stored()).length, await unmirrored()]).toEqual([3, 0]);
});

it('a stream of that name that is somebody else’s is left alone, and holds up no work', async () => {
  const { streams } = await bus.jetStream(2_000);
  await streams.delete(DEAD_STREAM);
  await streams.add({ name: DEAD_STREAM, subjects: ['other.>'], retention: 'workqueue' as never });
  await expect(ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 })).resolves.toBeUndefined();
  expect((await streams.info(WORK_STREAM)).config.retention).toBe('workqueue');
  await failJobs(1);
  await mirror.runOnce();
  expect(lines[0]).toContain('delete or rename it, or use another NATS account');
  expect((await streams.info(DEAD_STREAM)).config.subjects).toEqual(['other.>']);
});

it('without NATS it waits, and goes on once that is back', async () => {
  await failJobs(1);
  await nats.kill();
  await until(() => !bus.isConnected);
  expect(await mirror.runOnce()).toBe(1_000);
  await nats.start();
  await bus.whenConnected(10_000);
  await until(async () => {
    await mirror.runOnce();
    return (await unmirrored()) === 0;
  });
  expect((await stored()).length).toBe(1);
});
