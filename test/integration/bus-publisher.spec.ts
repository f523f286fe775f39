import { Publisher } from '#shared/bus/publisher';
import { WORK_STREAM, workSubject } from '#shared/contracts/subjects';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, numbers, freeze } from './bus-stage';

const SUBJECT = workSubject('default', 'default');

describe('publishing work', () => {
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

  const storedMessages = async (): Promise<number> => {
    const api = await stage.bus.jetStream(2_000);
    return (await api.streams.info(WORK_STREAM)).state.messages;
  };

  it('says the number under which a message was stored, and when it was there before', async () => {
    expect(await stage.publisher.publish(SUBJECT, 'a', 'id-1')).toEqual({ kind: 'stored', seq: 1, duplicate: false });
    expect(await stage.publisher.publish(SUBJECT, 'b', 'id-2')).toEqual({ kind: 'stored', seq: 2, duplicate: false });
    expect(await stage.publisher.publish(SUBJECT, 'a', 'id-1')).toEqual({ kind: 'stored', seq: 1, duplicate: true });
    expect(await storedMessages()).toBe(2);
  });

  it('stores text as UTF-8 and bytes as they are', async () => {
    await stage.publisher.publish(SUBJECT, 'Straße – 漢字', 'text');
    await stage.publisher.publish(SUBJECT, new Uint8Array([0, 255, 13, 10]), 'bytes');
    const api = await stage.bus.jetStream(2_000);
    const [text, bytes] = await Promise.all([1, 2].map((seq) => api.streams.getMessage(WORK_STREAM, { seq })));
    expect(text?.string()).toBe('Straße – 漢字');
    expect([...(bytes?.data ?? [])]).toEqual([0, 255, 13, 10]);
  });

  it('acknowledges each of thousands at once with its own number', async () => {
    const outcomes = await stage.publishAll(numbers(20_000));
    expect(outcomes.map((outcome) => outcome.kind === 'stored' && outcome.seq)).toEqual(
      numbers(20_000).map((number) => Number(number) + 1),
    );
  });

  it('refuses quickly what no stream takes', async () => {
    const startedAtMs = performance.now();
    expect(await stage.publisher.publish('sluice.nowhere', 'a', 'id')).toEqual({
      kind: 'refused',
      reason: 'no stream takes this subject',
    });
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });

  it('says why the stream refuses', async () => {
    const api = await stage.bus.jetStream(2_000);
    await api.streams.update(WORK_STREAM, { max_msgs: 1 });
    await stage.publish('fits');
    expect(await stage.publish('does not')).toEqual({ kind: 'refused', reason: 'maximum messages exceeded' });
  });

  it('refuses what is larger than the server takes', async () => {
    expect(await stage.publish('x'.repeat(1024 * 1024))).toEqual({ kind: 'refused', reason: 'too large' });
    expect(await stage.publish('x')).toMatchObject({ kind: 'stored' });
  });

  it('is in doubt at its time limit when the server does not answer, and then refuses what waited', async () => {
    const publisher = new Publisher(stage.bus, { timeoutMs: 400, maxInFlight: 10 });
    await freeze(nats);
    const startedAtMs = performance.now();
    const outcomes = await Promise.all(numbers(15).map((n) => publisher.publish(SUBJECT, n, `limit-${n}`)));
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    expect(outcomes.slice(0, 10)).toEqual(numbers(10).map(() => ({ kind: 'in_doubt' })));
    expect(outcomes.slice(10)).toEqual(numbers(5).map(() => ({ kind: 'refused', reason: 'NATS is too slow' })));
  });

  it('is bounded: what exceeds the queue is refused at once, and all else is stored', async () => {
    const publisher = new Publisher(stage.bus, { maxInFlight: 10 });
    const outcomes = await Promise.all(numbers(300).map((n) => publisher.publish(SUBJECT, n, `bounded-${n}`)));
    const refused = outcomes.filter((outcome) => outcome.kind === 'refused');
    expect(refused).toHaveLength(300 - 10 - 160);
    expect(refused[0]).toEqual({ kind: 'refused', reason: 'too many publishes are waiting' });
    expect(outcomes.filter((outcome) => outcome.kind === 'stored')).toHaveLength(170);
    expect(await storedMessages()).toBe(170);
  });

  it('is in doubt at once when the connection is lost, refuses without one, and goes on after', async () => {
    await freeze(nats);
    const underWay = stage.publish('under way');
    await nats.kill();
    expect(await underWay).toEqual({ kind: 'in_doubt' });
    await until(() => !stage.bus.isConnected);
    expect(await stage.publish('without')).toEqual({ kind: 'refused', reason: 'not connected to NATS' });
    await nats.start();
    await stage.publishSurely('after');
  });

  it('drains: waits for what is in flight and refuses what comes later', async () => {
    const underWay = stage.publishAll(numbers(1_000));
    expect(await stage.publisher.drain(5_000)).toBe(true);
    expect((await underWay).every((outcome) => outcome.kind === 'stored')).toBe(true);
    expect(await stage.publish('later')).toEqual({ kind: 'refused', reason: 'shutting down' });
  });

  it('gives up draining at the limit', async () => {
    await freeze(nats);
    const underWay = stage.publish('never answered');
    expect(await stage.publisher.drain(200)).toBe(false);
    expect(await underWay).toEqual({ kind: 'in_doubt' });
  });
});
