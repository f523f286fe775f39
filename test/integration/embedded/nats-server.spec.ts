import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { startNatsServer } from '#shared/runtime/embedded/nats-server';
import { testVariable } from '../../support/test-environment';
import { startTestNats, type TestNats } from '../../support/test-nats';

describe('an embedded nats-server', () => {
  let nats: TestNats;
  beforeEach(async () => {
    nats = await startTestNats();
  });
  afterEach(() => nats.stop());

  async function withStream<T>(work: (count: number) => Promise<T> | T, publish: number): Promise<T> {
    const connection = await connect({ servers: nats.url });
    try {
      const manager = await connection.jetstreamManager();
      await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
      for (let sent = 0; sent < publish; sent++) await connection.jetstream().publish('kept');
      return await work((await manager.streams.info('KEPT')).state.messages);
    } finally {
      await connection.close();
    }
  }

  it('keeps what JetStream acknowledged over a kill, on the same ports', async () => {
    await withStream(() => nats.kill(), 100);
    await nats.start();
    await withStream((count) => expect(count).toBe(100), 0);
  });

  it('has nothing left when its store was wiped', async () => {
    await withStream(() => undefined, 10);
    await nats.kill();
    await nats.wipeStore();
    await nats.start();
    await withStream((count) => expect(count).toBe(0), 0);
  });

  it('answers on its monitoring port', async () => {
    const answer = await fetch(`${nats.monitorUrl}/jsz`);
    expect(((await answer.json()) as { streams: number }).streams).toBe(0);
  });

  it('refuses a store that another server uses, and a program that is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-nats-'));
    const program = testVariable('natsServer');
    const first = await startNatsServer({ program, folder });
    await expect(startNatsServer({ program, folder, previousGoneWithinMs: 0 })).rejects.toThrow(
      `in use by the nats-server with pid ${first.pid}`,
    );
    await first.stop();
    await expect(startNatsServer({ program: '/bin/false', folder })).rejects.toThrow('exit code 1');
    await rm(folder, { recursive: true });
  });
});
