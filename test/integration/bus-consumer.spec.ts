import type { Delivery } from '#shared/bus/delivery';
import { WORK_STREAM, workConsumer } from '#shared/contracts/subjects';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, distinct, numbers } from './bus-stage';

describe('consuming work', () => {
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

  it('takes all that is there and all that comes, each once, and leaves nothing', async () => {
    await stage.publishAll(numbers(500).slice(0, 250));
    const { texts } = stage.collector(7);
    await stage.publishAll(numbers(500).slice(250));
    await until(() => texts.length >= 500);
    expect(distinct(texts)).toEqual(distinct(numbers(500)));
    await until(async () => (await left()) === 0);
    expect(texts).toHaveLength(500);
  });

  it('says queue, priority, data, number and count of the delivery', async () => {
    await stage.publish('ü', 'high', 'heavy');
    const deliveries: Delivery[] = [];
    stage.consumer(2, (delivery) => deliveries.push(delivery));
    await until(() => deliveries.length === 1);
    const [delivery] = deliveries;
    expect(delivery).toMatchObject({ queue: 'heavy', priority: 'high', deliveryCount: 1, streamSeq: 1 });
    expect(delivery?.text()).toBe('ü');
    expect(Buffer.from(delivery?.data ?? []).toString()).toBe('ü');
  });

  it.each([1, 2, 5, 50])('never holds more than %i, whatever is released when', async (slots) => {
    await Promise.all(PRIORITIES.map((priority) => stage.publishAll(numbers(200), priority)));
    const held: Delivery[] = [];
    let most = 0;
    let seen = 0;
    const consumer = stage.consumer(slots, (delivery) => {
      held.push(delivery);
      seen += 1;
      most = Math.max(most, held.length);
    });
    await until(
      () => {
        for (const delivery of held.splice(0, Math.ceil(held.length / 2))) {
          delivery.ack();
          consumer.release(delivery);
        }
        return seen === 600 && held.length === 0;
      },
      { everyMs: 1, deadlineMs: 25_000 },
    );
    expect(most).toBeLessThanOrEqual(slots);
    await until(async () => (await outstanding()) === 0);
  });

  const outstanding = async (): Promise<number> => {
    const api = await stage.bus.jetStream(2_000);
    const infos = PRIORITIES.map((priority) => api.consumers.info(WORK_STREAM, workConsumer('default', priority)));
    return (await Promise.all(infos)).reduce((sum, info) => sum + info.num_ack_pending, 0);
  };

  it.each([1, 2, 5, 40])('fills all its %i slots from one backlog, and asks for no more', async (slots) => {
    await stage.publishAll(numbers(100));
    let seen = 0;
    stage.consumer(slots, () => (seen += 1));
    await until(() => seen === slots, { deadlineMs: 2_000 });
    await stage.bus.ping(1_000);
    expect(await outstanding()).toBe(slots);
    expect(seen).toBe(slots);
  });

  it('does not count a slot that is given back twice', async () => {
    await stage.publishAll(numbers(20));
    const held: Delivery[] = [];
    const consumer = stage.consumer(2, (delivery) => held.push(delivery));
    await until(() => held.length === 2);
    const first = held.slice(0, 1);
    for (const delivery of [...first, ...first, ...first, ...first]) {
      delivery.ack();
      consumer.release(delivery);
    }
    await until(() => held.length === 3);
    expect(consumer.busySlots).toBe(2);
    await stage.bus.ping(1_000);
    expect(await outstanding()).toBe(2);
  });

  describe('a delivery that rests', () => {
    it('frees its slot, and takes one again before anything new', async () => {
      await stage.publishAll(numbers(4));
      const held: Delivery[] = [];
      const consumer = stage.consumer(1, (delivery) => held.push(delivery));
      await until(() => held.length === 1);
      const [resting] = held;
      if (!resting) throw new Error('nothing was delivered');
      consumer.release(resting);
      await until(() => held.length === 2);
      const order: string[] = [];
      const resumed = consumer.resume(resting).then((taken) => order.push(`resumed ${taken}`));
      expect(consumer.busySlots).toBe(1);
      const [, second] = held;
      second?.ack();
      if (second) consumer.release(second);
      await resumed;
      expect([order, consumer.busySlots, held.length]).toEqual([['resumed true'], 1, 2]);
      resting.ack();
      consumer.release(resting);
      await until(() => held.length === 3);
      expect(consumer.busySlots).toBe(1);
    });

    it('takes a free slot at once; what was asked for with that slot is handed back', async () => {
      await stage.publishAll(numbers(3));
      const held: Delivery[] = [];
      const consumer = stage.consumer(3, (delivery) => held.push(delivery));
      await until(() => held.length === 3);
      const resting = [...held];
      for (const delivery of resting) consumer.release(delivery);
      // With all slots free, a pull waits at every lane.
      const isWaiting = async (): Promise<boolean> => (await waitingPulls()) > 0;
      await until(isWaiting);
      expect(await Promise.all(resting.map((delivery) => consumer.resume(delivery)))).toEqual([true, true, true]);
      await stage.publish('fresh');
      await until(async () => !(await isWaiting()));
      await stage.bus.ping(1_000);
      expect([held.length, consumer.busySlots]).toEqual([3, 3]);
      resting[0]?.ack();
      if (resting[0]) consumer.release(resting[0]);
      await until(() => held.length === 4);
      expect([held[3]?.text(), held[3]?.deliveryCount]).toEqual(['fresh', 2]);
    });

    it('is not taken again once the consumer stops, nor when it never rested', async () => {
      await stage.publishAll(numbers(2));
      const held: Delivery[] = [];
      const consumer = stage.consumer(1, (delivery) => held.push(delivery));
      await until(() => held.length === 1);
      const [resting] = held;
      if (!resting) throw new Error('nothing was delivered');
      expect(await consumer.resume(resting)).toBe(false);
      consumer.release(resting);
      await until(() => held.length === 2);
      const waiting = consumer.resume(resting);
      await consumer.stop();
      expect([await waiting, await consumer.resume(resting), consumer.busySlots]).toEqual([false, false, 1]);
    });
  });

  const waitingPulls = async (): Promise<number> => {
    const api = await stage.bus.jetStream(2_000);
    return (await api.consumers.info(WORK_STREAM, workConsumer('default', 'default'))).num_waiting;
  };

  it.each(PRIORITIES)('when idle has a pull waiting, so that work of priority %s starts at once', async (priority) => {
    const { texts } = stage.collector(3, ['default']);
    await stage.publish('warm', priority);
    await until(() => texts.length === 1);
    const waitsMs: number[] = [];
    for (const text of numbers(20)) {
      const startedAtMs = performance.now();
      await stage.publish(text, priority);
      await until(() => texts.includes(text), { everyMs: 1 });
      waitsMs.push(performance.now() - startedAtMs);
    }
    expect(waitsMs.sort((a, b) => a - b)[10]).toBeLessThan(40);
  });

  it.each([1, 2])('reaches every queue and priority with %i slots', async (slots) => {
    const { texts } = stage.collector(slots);
    for (const queue of ['default', 'heavy']) {
      for (const priority of PRIORITIES) await stage.publish(`${queue}-${priority}`, priority, queue);
    }
    await until(() => texts.length === 6, { deadlineMs: 5_000 });
  });

  it.each([1, 4, 20])('gives high most and low some with a backlog in all and %i slots', async (slots) => {
    await Promise.all(PRIORITIES.map((priority) => stage.publishAll(numbers(320), priority)));
    const order: Priority[] = [];
    const consumer = stage.consumer(slots, (delivery) => {
      order.push(delivery.priority);
      delivery.ack();
      consumer.release(delivery);
    });
    await until(() => order.length >= 320);
    const counted = order.slice(0, 320);
    const count = (priority: Priority): number => counted.filter((one) => one === priority).length;
    expect(count('high')).toBeGreaterThan(200);
    expect(count('default')).toBeGreaterThan(count('low'));
    expect(count('low')).toBeGreaterThanOrEqual(10);
  });

  it('starts high work soon that came while low work had all slots', async () => {
    await stage.publishAll(numbers(1_000), 'low');
    const texts: string[] = [];
    const held: Delivery[] = [];
    const end = (delivery: Delivery): void => {
      delivery.ack();
      consumer.release(delivery);
    };
    const consumer = stage.consumer(8, (delivery) => {
      texts.push(delivery.text());
      held.push(delivery);
      if (texts.length > 8) held.splice(0, 1).forEach(end);
    });
    await until(() => held.length === 8);
    await stage.publish('urgent', 'high');
    held.splice(0, 1).forEach(end);
    await until(() => texts.includes('urgent'));
    expect(texts.indexOf('urgent')).toBeLessThan(200);
  });

  it('nak hands a message back at once or after a delay, with its count raised', async () => {
    await stage.publish('x');
    const seenAtMs: number[] = [];
    const counts: number[] = [];
    const consumer = stage.consumer(3, (delivery) => {
      seenAtMs.push(performance.now());
      counts.push(delivery.deliveryCount);
      if (counts.length === 1) delivery.nak();
      else if (counts.length === 2) delivery.nak(300);
      else delivery.ack();
      consumer.release(delivery);
    });
    await until(() => counts.length === 3);
    const [first = 0, second = 0, third = 0] = seenAtMs;
    expect(counts).toEqual([1, 2, 3]);
    expect(second - first).toBeLessThan(250);
    expect(third - second).toBeGreaterThanOrEqual(290);
  });

  it('term ends a message for good', async () => {
    await stage.publish('poison');
    const consumer = stage.consumer(3, (delivery) => {
      delivery.term();
      consumer.release(delivery);
    });
    await until(async () => (await left()) === 0);
  });

  it('delivers again what nobody ends, but not what is told to be worked on', async () => {
    await stage.publishAll(['forgotten', 'long']);
    const counts = new Map<string, number>();
    let long: Delivery | undefined;
    stage.consumer(8, (delivery) => {
      counts.set(delivery.text(), delivery.deliveryCount);
      if (delivery.text() === 'long') long = delivery;
    });
    await until(
      () => {
        long?.working();
        return (counts.get('forgotten') ?? 0) >= 2;
      },
      { everyMs: 200 },
    );
    expect(counts.get('long')).toBe(1);
  });

  it('only the first end of a delivery counts', async () => {
    await stage.publish('x');
    let count = 0;
    const consumer = stage.consumer(3, (delivery) => {
      count = delivery.deliveryCount;
      delivery.ack();
      delivery.nak();
      delivery.working();
      consumer.release(delivery);
    });
    await until(async () => count === 1 && (await left()) === 0);
    expect(count).toBe(1);
  });

  it('shares the work with another worker', async () => {
    const other = await BusStage.open(nats.url);
    try {
      const mine = stage.collector(4);
      const others = other.collector(4);
      await stage.publishAll(numbers(2_000));
      await until(() => mine.texts.length + others.texts.length >= 2_000);
      expect(distinct([...mine.texts, ...others.texts])).toEqual(distinct(numbers(2_000)));
      expect(Math.min(mine.texts.length, others.texts.length)).toBeGreaterThan(200);
    } finally {
      await other.close();
    }
  });

  it('stop takes nothing more, hands back what still comes, and says when nothing can come', async () => {
    const held: Delivery[] = [];
    const consumer = stage.consumer(10, (delivery) => held.push(delivery));
    await stage.publishAll(numbers(4));
    await until(() => held.length === 4);
    const stopping = consumer.stop();
    const late = stage.publishAll(['a', 'b', 'c']);
    await stopping;
    await late;
    expect(held).toHaveLength(4);
    for (const delivery of held) delivery.ack();
    const { texts } = stage.collector(10);
    await until(() => texts.length === 3, { deadlineMs: 1_500 });
    expect(distinct(texts)).toEqual(['a', 'b', 'c']);
    await until(async () => (await left()) === 0);
  });

  it('stops in the middle of a backlog without losing a message for the ack time', async () => {
    await stage.publishAll(numbers(3_000));
    const first: string[] = [];
    const stopped: Promise<void>[] = [];
    const consumer = stage.consumer(16, (delivery) => {
      first.push(delivery.text());
      delivery.ack();
      consumer.release(delivery);
      if (first.length === 500) stopped.push(consumer.stop());
    });
    await until(() => stopped.length > 0);
    await Promise.all(stopped);
    const { texts } = stage.collector(16);
    await until(() => distinct([...first, ...texts]).length === 3_000, { deadlineMs: 5_000 });
    expect(first.length + texts.length).toBe(3_000);
  });
});
