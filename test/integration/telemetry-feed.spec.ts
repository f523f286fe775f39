import { RetentionPolicy } from 'nats';
import { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { ensureTelemetry } from '#shared/bus/side-streams';
import { TelemetryFeed } from '#shared/bus/telemetry-feed';
import { TelemetrySender } from '#shared/bus/telemetry-sender';
import { ensureTopology } from '#shared/bus/topology';
import { TELEMETRY_CONSUMER, TELEMETRY_STREAM, telemetrySubject } from '#shared/contracts/subjects';
import { telemetryBatch } from '#shared/contracts/telemetry';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { endGently, freeze, numbers, TestLog } from './bus-stage';

const LONG = { deadlineMs: 120_000 };
const DAY_NANOS = 86_400e9;

let nats: TestNats;
let bus: NatsBus;
let publisher: Publisher;
let log: TestLog;
let feeds: TelemetryFeed[];

beforeEach(async () => {
  nats = await startTestNats();
  log = new TestLog();
  bus = await NatsBus.connect({ url: nats.url, name: 'telemetry-spec', log });
  publisher = new Publisher(bus);
  feeds = [];
}, 60_000);
afterEach(async () => {
  await Promise.all(feeds.map((feed) => feed.stop(2_000)));
  await bus.close(2_000);
  await nats.stop();
}, 60_000);

let published = 0;

/** Publishes each until it is stored, as the sender does. */
async function publishAll(payloads: readonly string[]): Promise<void> {
  for (const payload of payloads) {
    const id = `${process.pid}.${(published += 1)}`;
    const stored = async (): Promise<boolean> =>
      (await publisher.publish(telemetrySubject('step-worker'), payload, id)).kind === 'stored';
    await until(stored, { ...LONG, what: 'a stored publish' });
  }
}

type OnBatches = (texts: string[]) => void | Promise<void>;

/** A feed that notes what it is given; `onBatches` may refuse it. */
function collector(onBatches: OnBatches = () => undefined): { feed: TelemetryFeed; texts: string[]; calls: number[] } {
  const texts: string[] = [];
  const calls: number[] = [];
  const feed = new TelemetryFeed({
    bus,
    log,
    async onBatches(payloads) {
      const given = payloads.map((payload) => Buffer.from(payload).toString());
      calls.push(given.length);
      await onBatches(given);
      texts.push(...given);
    },
  });
  feeds.push(feed);
  feed.start();
  return { feed, texts, calls };
}

const pendingIs = (feed: TelemetryFeed, count: number): Promise<unknown> =>
  until(async () => (await feed.pending()) === count, { ...LONG, what: `${count} pending` });

describe('the telemetry stream', () => {
  it('drops its oldest when it is full, keeps a week, and has one consumer; an operator’s limits stay', async () => {
    await ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 });
    const { streams, consumers } = await bus.jetStream(5_000);
    const { config } = await streams.info(TELEMETRY_STREAM);
    expect(config).toMatchObject({
      ...{ subjects: ['sluice.telemetry.>'], retention: 'limits', storage: 'file', discard: 'old' },
      ...{ max_age: 7 * DAY_NANOS, max_bytes: 268_435_456, duplicate_window: 120e9, allow_direct: true },
    });
    expect(config.description).toMatch(/Sluice/);
    const consumer = await consumers.info(TELEMETRY_STREAM, TELEMETRY_CONSUMER);
    expect(consumer.config).toMatchObject({
      ...{ durable_name: 'metrics', ack_policy: 'explicit', ack_wait: 30e9, max_deliver: -1, deliver_policy: 'all' },
    });
    expect(consumer.config.description).toMatch(/Sluice/);
    await streams.update(TELEMETRY_STREAM, { max_bytes: 5_000_000, description: 'changed by hand' });
    await Promise.all([ensureTelemetry(bus), ensureTelemetry(bus)]);
    const after = await streams.info(TELEMETRY_STREAM);
    expect(after.config.max_bytes).toBe(5_000_000);
    expect(after.config.description).toMatch(/Sluice/);
  }, 60_000);

  it('says what is wrong when it cannot be made, and does not keep the work queue from being made', async () => {
    const { streams } = await bus.jetStream(5_000);
    await streams.add({ name: TELEMETRY_STREAM, subjects: ['else'], retention: RetentionPolicy.Workqueue });
    await expect(ensureTelemetry(bus)).rejects.toThrow(/SLUICE_TELEMETRY exists with retention "workqueue"/);
    await ensureTopology(bus, { queues: ['default'], ackWaitMs: 30_000 });
  }, 60_000);
});

describe('TelemetryFeed', () => {
  it('makes stream and consumer, hands on what is there and what comes, in order, and acknowledges it', async () => {
    await ensureTelemetry(bus);
    const first = numbers(250);
    await Promise.all(first.map((text) => publisher.publish(telemetrySubject('gateway'), text, `first.${text}`)));
    const { feed, texts, calls } = collector();
    await until(() => texts.length === 250, LONG);
    expect([...texts].sort()).toEqual([...first].sort());
    expect(Math.max(...calls)).toBeGreaterThan(10);
    await publishAll(['later']);
    await until(() => texts.includes('later'), LONG);
    await pendingIs(feed, 0);
    expect(feed.isPulling(10_000)).toBe(true);
    expect(texts).toHaveLength(251);
  }, 120_000);

  it('shares with the others: each message goes to one', async () => {
    const [one, other] = [collector(), collector()];
    await publishAll(numbers(40));
    await until(() => one.texts.length + other.texts.length >= 40, LONG);
    await pendingIs(one.feed, 0);
    expect([...one.texts, ...other.texts].sort()).toEqual([...numbers(40)].sort());
  }, 120_000);

  it('brings again, after a pause, what could not be taken', async () => {
    let refusals = 2;
    const at: number[] = [];
    const { feed, texts } = collector(() => {
      at.push(performance.now());
      refusals -= 1;
      if (refusals >= 0) throw new Error('the database is away');
    });
    await publishAll(['a']);
    await until(() => texts.length === 1, LONG);
    expect(at).toHaveLength(3);
    expect((at[2] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(1_900);
    await pendingIs(feed, 0);
  }, 120_000);

  it('goes on when the server is killed again and again, and loses nothing', async () => {
    const { feed, texts } = collector();
    for (let round = 0; round < 3; round += 1) {
      await publishAll(numbers(10).map((text) => `${round}/${text}`));
      await nats.kill();
      await nats.start();
    }
    await until(() => new Set(texts).size === 30, LONG);
    await pendingIs(feed, 0);
  }, 300_000);

  it('makes all of it anew when the store is lost', async () => {
    const { feed, texts } = collector();
    await publishAll(['before']);
    await until(() => texts.includes('before'), LONG);
    await nats.kill();
    await nats.wipeStore();
    await nats.start();
    await publishAll(['after']);
    await until(() => texts.includes('after'), LONG);
    await pendingIs(feed, 0);
  }, 120_000);

  it.each(['stream', 'consumer'])(
    'makes the %s again when somebody deletes it',
    async (what) => {
      const { texts } = collector();
      await publishAll(['before']);
      await until(() => texts.includes('before'), LONG);
      const { streams, consumers } = await bus.jetStream(5_000);
      if (what === 'stream') await streams.delete(TELEMETRY_STREAM);
      else await consumers.delete(TELEMETRY_STREAM, TELEMETRY_CONSUMER);
      await publishAll(['after']);
      await until(() => texts.includes('after'), LONG);
    },
    120_000,
  );

  it('says that it does not pull while no pull is answered, and that it does once they are', async () => {
    const { feed, texts } = collector();
    expect(feed.isPulling(60_000)).toBe(false);
    await until(() => feed.isPulling(5_000), LONG);
    await freeze(nats);
    await until(() => !feed.isPulling(5_000), LONG);
    expect(await feed.pending()).toBe(null);
    process.kill(nats.pid, 'SIGCONT');
    await until(() => feed.isPulling(5_000), LONG);
    await publishAll(['again']);
    await until(() => texts.includes('again'), LONG);
  }, 300_000);
});

describe('TelemetryFeed, told to stop', () => {
  it('lets what is at work end, acknowledges that, and gives the rest to the others at once', async () => {
    await ensureTelemetry(bus);
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const { feed, texts, calls } = collector(() => held);
    await publishAll(['a']);
    await until(() => calls.length === 1, LONG);
    await publishAll(['b']);
    const stopped = feed.stop(30_000);
    goOn();
    await stopped;
    expect(texts).toEqual(['a']);
    const other = collector();
    await until(() => other.texts.length > 0, LONG);
    await pendingIs(other.feed, 0);
    expect(other.texts).toEqual(['b']);
  }, 120_000);

  it.each(['a call that never ends', 'a server that stands still', 'no server', 'nothing'])(
    'ends within its limit: %s',
    async (trouble) => {
      const { feed, calls } = collector(() =>
        trouble === 'a call that never ends' ? new Promise(() => undefined) : undefined,
      );
      await until(() => feed.isPulling(5_000), LONG);
      await publishAll(['a']);
      await until(() => calls.length === 1, LONG);
      if (trouble === 'a server that stands still') await freeze(nats);
      if (trouble === 'no server') await endGently(nats);
      const startedAtMs = performance.now();
      await feed.stop(1_500);
      expect(performance.now() - startedAtMs).toBeLessThan(30_000);
      if (trouble === 'a server that stands still') process.kill(nats.pid, 'SIGCONT');
      if (trouble === 'no server') await nats.start();
    },
    120_000,
  );

  it('can be stopped before it was started, and twice', async () => {
    const feed = new TelemetryFeed({ bus, log, onBatches: async () => undefined });
    await Promise.all([feed.stop(1_000), feed.stop(1_000)]);
    feed.start();
    expect(feed.isPulling(60_000)).toBe(false);
  }, 60_000);
});

describe('from sender to feed', () => {
  const DONE = { outcome: 'completed', retried: null, durationMs: 12, cpuPercent: 50, memoryMb: 80 } as const;

  it('brings every attempt, once for each id, through a lost store and an outage', async () => {
    await ensureTelemetry(bus);
    const sender = new TelemetrySender({ bus, publisher, service: 'step-worker', everyMs: 50, log });
    sender.start();
    const { texts } = collector();
    const counted = (): number => {
      const batches = new Map(
        texts.map((text) => telemetryBatch.parse(JSON.parse(text))).map((each) => [each.id, each]),
      );
      const steps = [...batches.values()].flatMap((batch) => batch.steps);
      return steps.reduce((sum, { usage }) => sum + (usage.outcomes.completed ?? 0), 0);
    };
    const observe = (count: number): void => {
      for (let nth = 0; nth < count; nth += 1) sender.observe('p', 'a', Date.now() * 1_000, DONE);
    };
    observe(100);
    await until(() => counted() === 100, LONG);
    await nats.kill();
    observe(10);
    await until(() => !bus.isConnected, LONG);
    observe(1);
    await nats.wipeStore();
    await nats.start();
    await until(() => counted() === 111, LONG);
    observe(1_000);
    await sender.stop(30_000);
    await until(() => counted() === 1_111, LONG);
  }, 300_000);
});
