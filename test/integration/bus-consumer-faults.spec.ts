import type { Delivery } from '#shared/bus/delivery';
import { WORK_STREAM, workConsumer } from '#shared/contracts/subjects';
import { armFailpoints, parseFailpoints } from '#shared/runtime/failpoints';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, distinct, endGently, freeze, numbers } from './bus-stage';

const LONG = { deadlineMs: 60_000 };

describe('consuming work while things break', () => {
  let nats: TestNats;
  let stage: BusStage;

  beforeEach(async () => {
    nats = await startTestNats();
    stage = await BusStage.open(nats.url);
  });
  afterEach(async () => {
    await stage.close();
    await nats.stop();
  });

  const left = async (): Promise<number> => {
    const api = await stage.bus.jetStream(2_000);
    return (await api.streams.info(WORK_STREAM)).state.messages;
  };

  it('goes on when the server is killed again and again', async () => {
    await stage.publishAll(numbers(3_000));
    const { texts } = stage.collector(4);
    for (const part of [500, 1_000, 1_500]) {
      await until(() => texts.length >= part);
      await nats.kill();
      await nats.start();
    }
    await until(() => distinct(texts).length === 3_000, { deadlineMs: 25_000 });
  });

  it('has everything back within 10 s when the store is lost, and pulls from all of it', async () => {
    const { texts } = stage.collector(4);
    await stage.publishAll(numbers(20));
    await until(() => texts.length >= 20);
    await nats.kill();
    await nats.wipeStore();
    await nats.start();
    const startedAtMs = performance.now();
    await stage.publishSurely('after high', 'high');
    await stage.publishSurely('after low', 'low');
    await until(() => texts.includes('after high') && texts.includes('after low'));
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });

  /** Ends deliveries of a lost store after the new one has messages of the same numbers. Gives how many of these stay. */
  const leftAfterOldAcks = async (): Promise<number> => {
    const held: Delivery[] = [];
    stage.consumer(40, (delivery) => held.push(delivery));
    await stage.publishAll(numbers(10));
    await until(() => held.length === 10);
    const old = held.splice(0);
    await nats.kill();
    await nats.wipeStore();
    await nats.start();
    for (const text of numbers(10)) await stage.publishSurely(`new ${text}`);
    await until(() => held.length === 10);
    expect(held.map((delivery) => delivery.streamSeq).sort()).toEqual(old.map((delivery) => delivery.streamSeq).sort());
    for (const delivery of old) delivery.ack();
    await stage.bus.ping(1_000);
    const staying = await left();
    for (const delivery of held) delivery.ack();
    await until(async () => (await left()) === 0);
    return staying;
  };

  it('does not end a message of a new store with the ack for one of the old', async () => {
    expect(await leftAfterOldAcks()).toBe(10);
  });

  it('would end them without its guard', async () => {
    armFailpoints(parseFailpoints('bus.acks_know_their_store=off'), { warn: () => undefined });
    try {
      expect(await leftAfterOldAcks()).toBe(0);
    } finally {
      armFailpoints(null, { warn: () => undefined });
    }
  });

  it('sends the acks that came up while disconnected, so that nothing is delivered again', async () => {
    const held: Delivery[] = [];
    stage.consumer(20, (delivery) => held.push(delivery));
    await stage.publishAll(numbers(10));
    await until(() => held.length === 10);
    await endGently(nats);
    await until(() => !stage.bus.isConnected);
    for (const delivery of held) delivery.ack();
    await nats.start();
    await until(async () => (await left()) === 0, { deadlineMs: 5_000 });
    expect(held).toHaveLength(10);
  });

  it.each(['stream', 'consumer'])('makes the %s again when somebody deletes it', async (what) => {
    const { texts } = stage.collector(3);
    await stage.publish('before');
    await until(() => texts.includes('before'));
    const api = await stage.bus.jetStream(2_000);
    if (what === 'stream') await api.streams.delete(WORK_STREAM);
    else await api.consumers.delete(WORK_STREAM, workConsumer('default', 'default'));
    await stage.publishSurely('after');
    await until(() => texts.includes('after'), { deadlineMs: 10_000 });
  });

  it('says why nothing can be pulled, and no more once it can', async () => {
    const { consumer, texts } = stage.collector(4);
    await until(() => consumer.whyNotPulling(500) === null, LONG);
    const { streams } = await stage.bus.jetStream(5_000);
    await streams.delete(WORK_STREAM);
    await streams.add({ name: WORK_STREAM, subjects: ['sluice.work.>'] });
    const why = await until(() => consumer.whyNotPulling(500), LONG);
    expect(why).toMatch(/^nothing can be pulled of \w+\/\w+/);
    await streams.delete(WORK_STREAM);
    await until(() => consumer.whyNotPulling(500) === null, LONG);
    await freeze(nats);
    await until(() => consumer.whyNotPulling(500), LONG);
    process.kill(nats.pid, 'SIGCONT');
    await until(() => consumer.whyNotPulling(500) === null, LONG);
    await stage.publishSurely('after');
    await until(() => texts.includes('after'), LONG);
    await consumer.stop();
    expect(consumer.whyNotPulling(500)).toBe('not pulling');
  }, 180_000);

  it('makes the consumer again when it was deleted while no pull was waiting there', async () => {
    const held: Delivery[] = [];
    const consumer = stage.consumer(1, (delivery) => held.push(delivery));
    await stage.publish('first');
    await until(() => held.length === 1);
    const api = await stage.bus.jetStream(2_000);
    await api.consumers.delete(WORK_STREAM, workConsumer('default', 'high'));
    held[0]?.ack();
    if (held[0]) consumer.release(held[0]);
    await stage.publish('second', 'high');
    await until(() => held.length === 2, { deadlineMs: 10_000 });
  });

  it('waits for its turn when more pulls wait than the consumer takes, and goes on then', async () => {
    const api = await stage.bus.jetStream(2_000);
    await api.consumers.delete(WORK_STREAM, workConsumer('default', 'default'));
    await api.consumers.add(WORK_STREAM, {
      durable_name: workConsumer('default', 'default'),
      filter_subject: 'sluice.work.default.default',
      ack_policy: (await api.consumers.info(WORK_STREAM, workConsumer('default', 'low'))).config.ack_policy,
      max_waiting: 1,
    });
    const taken = stage.bus.subscribe('_INBOX.taken', () => undefined);
    stage.bus.send(
      `$JS.API.CONSUMER.MSG.NEXT.${WORK_STREAM}.${workConsumer('default', 'default')}`,
      '{"batch":1,"expires":1500000000}',
      '_INBOX.taken',
    );
    await stage.bus.ping(1_000);
    const { texts } = stage.collector(6);
    await until(() => stage.log.lines.some((line) => line.includes('Exceeded MaxWaiting')));
    await until(
      async () => (await api.consumers.info(WORK_STREAM, workConsumer('default', 'default'))).num_waiting < 2,
    );
    taken.unsubscribe();
    await stage.publish('to us');
    await stage.publish('to us too');
    await until(() => texts.length >= 1, { deadlineMs: 10_000 });
  });

  it('delivers what is not JSON, and survives what is sent to its inboxes and every subject', async () => {
    const { texts } = stage.collector(5);
    const inboxes = await inboxesOf(nats);
    expect(inboxes.length).toBeGreaterThan(0);
    for (const inbox of inboxes) {
      for (const junk of ['', '{', '\0', 'x'.repeat(10_000)]) {
        const subject = inbox.replaceAll('*', '7');
        stage.bus.send(subject, junk);
        stage.bus.send(subject, junk, 'a.reply');
        stage.bus.send(subject, junk, '$JS.ACK.x.y.1.a.b.c.d');
        stage.bus.send(subject, junk, `$JS.ACK.${WORK_STREAM}.nobody.0.0.0.0.0`);
      }
    }
    await stage.publishAll(['{', '', '\0\u{1F4A9}', 'x'.repeat(100_000)]);
    await until(() => texts.length === 4);
    expect(distinct(texts)).toEqual(distinct(['{', '', '\0\u{1F4A9}', 'x'.repeat(100_000)]));
    expect(stage.bus.isConnected).toBe(true);
  });

  it('goes on when the owner throws, and says so', async () => {
    let count = 0;
    const consumer = stage.consumer(2, (delivery) => {
      count += 1;
      delivery.ack();
      consumer.release(delivery);
      throw new Error('the owner failed');
    });
    await stage.publishAll(numbers(50));
    await until(() => count === 50);
    expect(stage.log.lines.join('\n')).toContain('the owner failed');
  });

  it('starts before there is a server and works once there is one', async () => {
    await nats.kill();
    await until(() => !stage.bus.isConnected);
    const { texts } = stage.collector(3);
    await nats.start();
    await stage.publishSurely('x');
    await until(() => texts.includes('x'));
  });
});

/** What clients have subscribed to, by the server's monitoring page. */
async function inboxesOf(nats: TestNats): Promise<string[]> {
  const response = await fetch(`${nats.monitorUrl}/connz?subs=1`);
  const page = (await response.json()) as { connections: { subscriptions_list?: string[] }[] };
  return page.connections.flatMap((one) => one.subscriptions_list ?? []).filter((one) => one.startsWith('_INBOX'));
}
