import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { NatsBus } from '#shared/bus/nats-bus';
import { listen, notify } from '#shared/bus/signals';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { TestLog, endGently, freeze } from './bus-stage';

describe('the connection to NATS', () => {
  let nats: TestNats;
  let bus: NatsBus;
  let log: TestLog;

  beforeEach(async () => {
    nats = await startTestNats();
    log = new TestLog();
  });
  afterEach(async () => {
    process.kill(nats.pid, 'SIGCONT');
    await bus.close(1_000);
    await nats.stop();
  });

  const open = (): NatsBus => NatsBus.open({ url: nats.url, name: 'connection-spec', log });

  it('is opened in the background: without a server at first, then with one', async () => {
    await endGently(nats);
    bus = open();
    const connects = jest.fn();
    bus.onConnect(connects);
    expect(bus.isConnected).toBe(false);
    expect(await bus.whenConnected(300)).toBe(false);
    await expect(bus.ping(100)).rejects.toThrow('not connected to NATS');
    expect(log.lines.join('\n')).toMatch(/warn cannot reach NATS at 127\.0\.0\.1:\d+/);
    await nats.start();
    expect(await bus.whenConnected(5_000)).toBe(true);
    expect(connects).toHaveBeenCalledTimes(1);
    expect(await bus.ping(1_000)).toBeLessThan(1_000);
  });

  it('comes back within 5 s after the server did, with its subscriptions, and says each time', async () => {
    bus = open();
    const events: string[] = [];
    bus.onConnect(() => events.push('connect'));
    bus.onDisconnect(() => events.push('disconnect'));
    await bus.whenConnected(5_000);
    const heard: string[] = [];
    listen(bus, 'news', (text) => heard.push(text));
    for (const round of ['1', '2', '3']) {
      await nats.kill();
      await until(() => !bus.isConnected);
      await nats.start();
      const startedAtMs = performance.now();
      await until(() => bus.isConnected);
      expect(performance.now() - startedAtMs).toBeLessThan(5_000);
      notify(bus, 'news', round);
      await until(() => heard.includes(round));
    }
    expect(events).toEqual(['connect', ...Array.from({ length: 3 }, () => ['disconnect', 'connect']).flat()]);
  });

  it('gives up within 30 s on a server that takes nothing and says nothing, and comes back when it does', async () => {
    bus = open();
    await bus.whenConnected(5_000);
    await freeze(nats);
    for (let i = 0; i < 32; i += 1) notify(bus, 'nobody', 'x'.repeat(900_000)); // more than the kernel holds
    const startedAtMs = performance.now();
    await until(() => !bus.isConnected, { deadlineMs: 30_000, everyMs: 100 });
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
    process.kill(nats.pid, 'SIGCONT');
    await until(() => bus.isConnected, { deadlineMs: 5_000 });
    expect(await bus.ping(1_000)).toBeLessThan(1_000);
  }, 45_000);

  it('limits a ping', async () => {
    bus = open();
    await bus.whenConnected(5_000);
    await freeze(nats);
    await expect(bus.ping(100)).rejects.toThrow('no answer from NATS within 100 ms');
  });

  it('sends what was still to be sent when it is closed, and then no more', async () => {
    bus = open();
    await bus.whenConnected(5_000);
    const other = await NatsBus.connect({ url: nats.url, name: 'connection-spec', log });
    const heard: string[] = [];
    listen(other, 'last', (text) => heard.push(text));
    await other.ping(1_000);
    expect(notify(bus, 'last', 'words')).toBe(true);
    await bus.close(1_000);
    await until(() => heard.length === 1);
    expect(notify(bus, 'last', 'none')).toBe(false);
    expect(bus.isConnected).toBe(false);
    await other.close(1_000);
  });

  it('can be closed while it dials, and while the server is silent, within the limit', async () => {
    bus = open();
    await bus.whenConnected(5_000);
    await freeze(nats);
    const startedAtMs = performance.now();
    await bus.close(300);
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    await nats.kill();
    const dialing = open();
    await until(() => log.lines.some((line) => line.includes('cannot reach')));
    await dialing.close(1_000);
    await nats.start();
    expect(await dialing.whenConnected(300)).toBe(false);
  });

  it('goes on reading when a handler or a listener throws', async () => {
    bus = open();
    bus.onConnect(() => {
      throw new Error('a listener failed');
    });
    await bus.whenConnected(5_000);
    const heard: string[] = [];
    listen(bus, 'news', () => {
      throw new Error('a handler failed');
    });
    listen(bus, 'news', (text) => heard.push(text));
    for (const text of ['1', '2', '3']) notify(bus, 'news', text);
    await until(() => heard.length === 3);
    expect(log.lines.join('\n')).toMatch(/a listener failed/);
  });

  it('leaves no socket behind at a server that accepts and says nothing', async () => {
    bus = open();
    let accepted = 0;
    let closed = 0;
    const silent = createServer((socket) => {
      accepted += 1;
      socket.on('error', () => undefined).on('close', () => (closed += 1));
      socket.resume();
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const dialing = NatsBus.open({ url: `nats://127.0.0.1:${port}`, name: 'connection-spec', log });
    await until(() => accepted >= 2 && closed >= accepted - 1, { deadlineMs: 15_000 });
    expect(log.lines.join('\n')).toContain('no greeting within 3000 ms');
    await dialing.close(5_000);
    await until(() => closed === accepted);
    silent.close();
  }, 30_000);

  it('needs a URL', async () => {
    bus = open();
    expect(() => NatsBus.open({ url: 'http://x', name: 'x', log })).toThrow('expected nats://host:port');
  });
});
