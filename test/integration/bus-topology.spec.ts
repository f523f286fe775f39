import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, rename, rm } from 'node:fs/promises';
import { JetStreamDisabledError, StreamConflictError } from '#shared/bus/jetstream-errors';
import { NatsBus } from '#shared/bus/nats-bus';
import { ensureTopology } from '#shared/bus/topology';
import { WORK_STREAM, workConsumer } from '#shared/contracts/subjects';
import { until } from '../support/poll';
import { testVariable } from '../support/test-environment';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, TestLog, distinct, endGently, messagesFolder, numbers } from './bus-stage';

const QUEUES = ['default', 'heavy'];

describe('the work queue in JetStream', () => {
  let nats: TestNats;
  let bus: NatsBus;

  beforeEach(async () => {
    nats = await startTestNats();
    bus = await NatsBus.connect({ url: nats.url, name: 'topology-spec', log: new TestLog() });
  });
  afterEach(async () => {
    await bus.close(1_000);
    await nats.stop();
  });

  const ensure = (ackWaitMs = 30_000): Promise<void> => ensureTopology(bus, { queues: QUEUES, ackWaitMs });
  const api = () => bus.jetStream(2_000);

  it('is one stream on file that loses nothing, and a consumer for each queue and priority', async () => {
    await ensure();
    const { streams, consumers } = await api();
    const { config } = await streams.info(WORK_STREAM);
    expect(config).toMatchObject({
      subjects: ['sluice.work.>'],
      retention: 'workqueue',
      storage: 'file',
      discard: 'new',
      max_age: 0,
      duplicate_window: 120e9,
    });
    expect(config.description).toMatch(/Sluice/);
    const found = await consumers.list(WORK_STREAM).next();
    expect(found.map((one) => one.name).sort()).toEqual([
      'work_default_default',
      'work_default_high',
      'work_default_low',
      'work_heavy_default',
      'work_heavy_high',
      'work_heavy_low',
    ]);
    expect(found.find((one) => one.name === 'work_heavy_low')?.config).toMatchObject({
      ack_policy: 'explicit',
      ack_wait: 30e9,
      max_deliver: -1,
      max_ack_pending: 50_000,
      filter_subject: 'sluice.work.heavy.low',
    });
  });

  it('can be made by many at once and again, and keeps what is in it', async () => {
    await Promise.all(numbers(8).map(() => ensure()));
    bus.send('sluice.work.heavy.low', 'kept');
    await bus.ping(1_000);
    await ensure();
    const { streams, consumers } = await api();
    expect((await streams.info(WORK_STREAM)).state.messages).toBe(1);
    expect(await consumers.list(WORK_STREAM).next()).toHaveLength(6);
  });

  it('takes over what its settings say by now, and leaves an operator’s limits alone', async () => {
    await ensure();
    const { streams, consumers } = await api();
    await streams.update(WORK_STREAM, { max_bytes: 5_000_000, description: 'changed by hand' });
    await ensure(10_000);
    const { config } = await streams.info(WORK_STREAM);
    expect(config.max_bytes).toBe(5_000_000);
    expect(config.description).toMatch(/Sluice/);
    expect((await consumers.info(WORK_STREAM, workConsumer('heavy', 'low'))).config.ack_wait).toBe(10e9);
  });

  it('refuses a stream of its name that is none of its kind, and does not touch it', async () => {
    const { streams } = await api();
    await streams.add({ name: WORK_STREAM, subjects: ['something.else'] });
    await expect(ensure()).rejects.toThrow(StreamConflictError);
    expect((await streams.info(WORK_STREAM)).config.subjects).toEqual(['something.else']);
  });

  it('says what failed when there is no server', async () => {
    await endGently(nats);
    await until(() => !bus.isConnected);
    await expect(ensure()).rejects.toThrow('cannot prepare the work queue: not connected to NATS');
    await nats.start();
  });

  it('makes a consumer anew that is ahead of its stream, as after a power failure, and delivers what is there', async () => {
    const stage = await BusStage.open(nats.url);
    try {
      const { consumer, texts } = stage.collector(4);
      await stage.publishAll(['old']);
      await until(() => texts.length === 1);
      const messages = await messagesFolder(nats);
      await endGently(nats);
      await cp(messages, `${messages}-copy`, { recursive: true });
      await nats.start();
      await stage.bus.whenConnected(5_000);
      await stage.publishSurely('sign');
      await stage.publishAll(numbers(20));
      await until(() => texts.length === 22);
      await consumer.stop();
      await endGently(nats);
      await rm(messages, { recursive: true });
      await rename(`${messages}-copy`, messages);
      await nats.start();
      await stage.bus.whenConnected(5_000);
      const after = stage.collector(4);
      for (const text of numbers(5)) await stage.publishSurely(`new ${text}`);
      await until(() => after.texts.length >= 5);
      expect(distinct(after.texts)).toEqual(distinct(numbers(5).map((text) => `new ${text}`)));
    } finally {
      await stage.close();
    }
  });
});

describe('a server without JetStream', () => {
  it('is said to be so, with the remedy', async () => {
    const server = spawn(testVariable('natsServer'), ['-a', '127.0.0.1', '-p', '-1'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      let said = '';
      server.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const url = await until(() => /127\.0\.0\.1:\d+/.exec(said)?.[0]);
      const bus = await NatsBus.connect({ url, name: 'topology-spec', log: new TestLog() });
      const ensured = ensureTopology(bus, { queues: QUEUES, ackWaitMs: 30_000 });
      await expect(ensured).rejects.toThrow(JetStreamDisabledError);
      await expect(ensured).rejects.toThrow('nats-server -js -sd');
      await bus.close(1_000);
    } finally {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  });
});
