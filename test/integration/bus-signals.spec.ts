import { publishEvents, subscribeEvents } from '#shared/bus/live-events';
import { NatsBus } from '#shared/bus/nats-bus';
import { listen, notify, request, requestMany, respond } from '#shared/bus/signals';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { TestLog } from './bus-stage';

describe('what may get lost: events, wake-ups, questions', () => {
  let nats: TestNats;
  let bus: NatsBus;
  let other: NatsBus;
  const log = new TestLog();

  beforeAll(async () => {
    nats = await startTestNats();
    bus = await NatsBus.connect({ url: nats.url, name: 'signals-spec', log });
    other = await NatsBus.connect({ url: nats.url, name: 'signals-spec', log });
  });
  afterAll(async () => {
    await bus.close(1_000);
    await other.close(1_000);
    await nats.stop();
  });

  it('events reach those who watch the job or all, as they were sent, until they stop', async () => {
    const one: string[] = [];
    const all: string[] = [];
    const stopOne = subscribeEvents(other, 'job-1', (jobId, text) => one.push(`${jobId} ${text}`));
    const stopAll = subscribeEvents(other, 'all', (jobId, text) => all.push(`${jobId} ${text}`));
    await other.ping(1_000);
    publishEvents(bus, 'job-1', '{"a":1}');
    publishEvents(bus, 'job-2', 'no { JSON');
    bus.send('sluice.events.job-1', new Uint8Array([0xff, 0xfe]));
    await until(() => all.length === 3);
    expect(all).toEqual(['job-1 {"a":1}', 'job-2 no { JSON', 'job-1 \uFFFD\uFFFD']);
    expect(one).toEqual(['job-1 {"a":1}', 'job-1 \uFFFD\uFFFD']);
    stopOne();
    stopOne();
    await other.ping(1_000);
    publishEvents(bus, 'job-1', 'later');
    await until(() => all.length === 4);
    expect(one).toHaveLength(2);
    stopAll();
  });

  it('a wake-up reaches all, or one of a queue', async () => {
    const heard: string[] = [];
    const stops = ['a', 'b'].flatMap((name) => [
      listen(other, 'wake.all', (text) => heard.push(`all ${name} ${text}`)),
      listen(other, 'wake.one', (text) => heard.push(`one ${text}`), 'group'),
    ]);
    await other.ping(1_000);
    notify(bus, 'wake.all', 'x');
    notify(bus, 'wake.one', 'y');
    notify(bus, 'wake.all');
    await until(() => heard.length === 5);
    expect([...heard].sort()).toEqual(['all a ', 'all a x', 'all b ', 'all b x', 'one y']);
    for (const stop of stops) stop();
  });

  it('a question is answered, or it is said why not', async () => {
    const stops = [
      respond(other, 'ask.echo', (text) => `${text}!`),
      respond(other, 'ask.later', async (text) => Promise.resolve(`later ${text}`)),
      respond(other, 'ask.silent', () => null),
      respond(other, 'ask.broken', () => {
        throw new Error('a responder failed');
      }),
      respond(other, 'ask.rejecting', () => Promise.reject(new Error('a promise failed'))),
    ];
    await other.ping(1_000);
    expect(await request(bus, 'ask.echo', 'ä', 1_000)).toEqual({ kind: 'answered', payload: 'ä!' });
    expect(await request(bus, 'ask.later', 'x', 1_000)).toEqual({ kind: 'answered', payload: 'later x' });
    expect(await request(bus, 'ask.nobody', 'x', 1_000)).toEqual({ kind: 'nobody' });
    expect(await request(bus, 'ask.silent', 'x', 100)).toEqual({ kind: 'timeout' });
    expect(await request(bus, 'ask.broken', 'x', 100)).toEqual({ kind: 'timeout' });
    expect(await request(bus, 'ask.rejecting', 'x', 100)).toEqual({ kind: 'timeout' });
    notify(bus, 'ask.echo', 'no reply subject');
    expect(await request(bus, 'ask.echo', 'still there', 1_000)).toMatchObject({ kind: 'answered' });
    for (const stop of stops) stop();
  });

  it('a question to all gathers answers until they are enough, nobody is there, or the time is over', async () => {
    const stops = ['a', 'b', 'c'].map((name) => respond(other, 'ask.all', () => name));
    await other.ping(1_000);
    const all = await requestMany(bus, 'ask.all', '', { timeoutMs: 5_000, enough: (answers) => answers.length === 3 });
    expect([...all].sort()).toEqual(['a', 'b', 'c']);
    const two = await requestMany(bus, 'ask.all', '', { timeoutMs: 5_000, enough: (answers) => answers.length === 2 });
    expect(two).toHaveLength(2);
    const limited = await requestMany(bus, 'ask.all', '', { timeoutMs: 200, enough: () => false });
    expect(limited).toHaveLength(3);
    const startedAtMs = performance.now();
    expect(await requestMany(bus, 'ask.nobody', '', { timeoutMs: 5_000, enough: () => false })).toEqual([]);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    for (const stop of stops) stop();
  });

  it('nothing is kept for later while there is no connection, and nothing throws', async () => {
    const heard: string[] = [];
    const stop = listen(other, 'later', (text) => heard.push(text));
    await nats.kill();
    await until(() => !bus.isConnected && !other.isConnected);
    expect(notify(bus, 'later', 'lost')).toBe(false);
    publishEvents(bus, 'job', 'lost');
    expect(await request(bus, 'ask.echo', 'x', 1_000)).toEqual({ kind: 'disconnected' });
    expect(await requestMany(bus, 'ask.all', '', { timeoutMs: 1_000, enough: () => false })).toEqual([]);
    await nats.start();
    await until(() => bus.isConnected && other.isConnected);
    await other.ping(1_000);
    notify(bus, 'later', 'heard');
    await until(() => heard.length > 0);
    expect(heard).toEqual(['heard']);
    stop();
  });

  it('what is larger than the server takes is not sent, and harms nothing', async () => {
    expect(notify(bus, 'large', 'x'.repeat(2_000_000))).toBe(false);
    expect(await bus.ping(1_000)).toBeLessThan(1_000);
  });
});
