import { cp, rename, rm } from 'node:fs/promises';
import { purgeAcknowledgedOrphans, readFrontier, type Frontier } from '#shared/bus/frontier';
import { WORK_STREAM, workConsumer } from '#shared/contracts/subjects';
import type { Delivery } from '#shared/bus/delivery';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, endGently, messagesFolder, numbers, freeze } from './bus-stage';

describe('the frontier of undelivered work', () => {
  let nats: TestNats;
  let stage: BusStage;

  beforeEach(async () => {
    nats = await startTestNats();
    stage = await BusStage.open(nats.url);
  });
  afterEach(async () => {
    process.kill(nats.pid, 'SIGCONT');
    await stage.close();
    await nats.stop();
  });

  const frontier = async (): Promise<string> => shown(await readFrontier(stage.bus, 'default', 'default'));
  const shown = (found: Frontier): string =>
    found.kind === 'message' ? `${found.seq}: ${Buffer.from(found.data).toString()}` : found.kind;

  /** Messages of another queue, which nobody takes here. */
  const neighbours = async (texts: readonly string[]): Promise<void> => {
    for (const text of texts) await stage.publish(text, 'default', 'heavy');
  };

  /** Takes so many messages and keeps them. */
  const take = async (count: number): Promise<Delivery[]> => {
    const held: Delivery[] = [];
    const consumer = stage.consumer(count, (delivery) => held.push(delivery), ['default']);
    await until(() => held.length === count);
    await consumer.stop();
    return held;
  };

  it('is empty when nothing was published, and when all was delivered', async () => {
    expect(await frontier()).toBe('empty');
    await stage.publishAll(numbers(3));
    await take(3);
    expect(await frontier()).toBe('empty');
  });

  it('is the first message of the subject that was not delivered, whatever lies around it', async () => {
    await neighbours(['high']);
    await stage.publishAll(numbers(4));
    await neighbours(['low']);
    expect(await frontier()).toBe('2: 0');
    const held = await take(2);
    expect(await frontier()).toBe('4: 2');
    expect(shown(await readFrontier(stage.bus, 'heavy', 'default'))).toBe('1: high');
    held[1]?.ack();
    await stage.bus.ping(1_000);
    expect(await frontier()).toBe('4: 2');
  });

  it('does not go back for what is delivered again or waits to be', async () => {
    await stage.publishAll(numbers(3));
    const held = await take(2);
    held[0]?.nak();
    held[1]?.nak(60_000);
    await stage.bus.ping(1_000);
    expect(await frontier()).toBe('3: 2');
    const [again] = await take(1);
    expect(again?.deliveryCount).toBe(2);
    expect(await frontier()).toBe('3: 2');
  });

  it('is not stuck at a message that was acknowledged out of order', async () => {
    await stage.publishAll(numbers(5));
    const held = await take(4);
    for (const delivery of held.slice(1)) delivery.ack();
    await stage.bus.ping(1_000);
    expect(await frontier()).toBe('5: 4');
  });

  it('is kept over a restart', async () => {
    await stage.publishAll(numbers(5));
    await take(3);
    await endGently(nats);
    await nats.start();
    await until(async () => (await frontier()) === '4: 3');
  });

  it('is unknown without stream, consumer, server or answer, and never empty', async () => {
    const api = await stage.bus.jetStream(2_000);
    await api.consumers.delete(WORK_STREAM, workConsumer('default', 'default'));
    expect(await readFrontier(stage.bus, 'default', 'default')).toMatchObject({ kind: 'unknown' });
    await api.streams.delete(WORK_STREAM);
    expect(await readFrontier(stage.bus, 'default', 'default')).toMatchObject({ kind: 'unknown' });
    await freeze(nats);
    expect(await readFrontier(stage.bus, 'default', 'default')).toMatchObject({ kind: 'unknown' });
    await nats.kill();
    await until(() => !stage.bus.isConnected);
    expect(await readFrontier(stage.bus, 'default', 'default')).toEqual({
      kind: 'unknown',
      reason: 'not connected to NATS',
    });
    await nats.start();
  });

  describe('removing orphans', () => {
    const left = async (): Promise<number> => {
      const api = await stage.bus.jetStream(2_000);
      return (await api.streams.info(WORK_STREAM)).state.messages;
    };
    const purge = (): Promise<number> => purgeAcknowledgedOrphans(stage.bus, 'default', 'default');

    it('touches nothing that is undelivered or not acknowledged', async () => {
      await neighbours(numbers(3));
      await stage.publishAll(numbers(30));
      await neighbours(numbers(3));
      expect(await purge()).toBe(0);
      const held = await take(20);
      held[0]?.ack();
      for (const delivery of held.slice(3, 10)) delivery.ack();
      held[10]?.nak(60_000);
      await until(async () => (await left()) === 36 - 8);
      expect(await purge()).toBe(0);
      expect(await left()).toBe(36 - 8);
      const api = await stage.bus.jetStream(2_000);
      const consumer = await api.consumers.info(WORK_STREAM, workConsumer('default', 'default'));
      expect(consumer).toMatchObject({ num_ack_pending: 12, num_pending: 10 });
    });

    it('removes what the consumer has acknowledged and the stream still has', async () => {
      await neighbours(numbers(3));
      await stage.publishAll(numbers(40));
      await makeOrphans(25);
      await until(async () => (await left()) === 3 + 40);
      expect(await purge()).toBe(25);
      expect(await left()).toBe(3 + 15);
      expect(await purge()).toBe(0);
      const { texts } = stage.collector(5);
      await until(async () => (await left()) === 0);
      expect(texts).toHaveLength(3 + 15);
    });

    it('does nothing while nobody answers', async () => {
      await freeze(nats);
      expect(await purge()).toBe(0);
    });

    /**
     * As a server that is killed between the two writes leaves it: acknowledged to the consumer, still in the stream.
     * The stream's files are put back as they were before the acks.
     */
    const makeOrphans = async (count: number): Promise<void> => {
      const held = await take(count);
      const messages = await messagesFolder(nats);
      await endGently(nats);
      await cp(messages, `${messages}-copy`, { recursive: true });
      await nats.start();
      await stage.bus.whenConnected(5_000);
      const before = await left();
      for (const delivery of held) delivery.ack();
      await until(async () => (await left()) === before - count);
      await endGently(nats);
      await rm(messages, { recursive: true });
      await rename(`${messages}-copy`, messages);
      await nats.start();
      await stage.bus.whenConnected(5_000);
    };
  });
});
