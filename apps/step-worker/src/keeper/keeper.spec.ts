import type { Logger } from '#shared/runtime/logger';
import { loadConfig } from '#shared/runtime/config';
import { ThreadKeeper } from './keeper';
import { TurnSlots } from './turn-slots';

const config = loadConfig('step-worker', {
  DATABASE_URL: 'postgres://sluice@127.0.0.1:1/none',
  NATS_URL: 'nats://127.0.0.1:1',
});

describe('ThreadKeeper', () => {
  // Beside the sources there is no keeper-thread.js: the thread cannot start.
  it('ends the worker when its thread cannot start', async () => {
    const fatal: string[] = [];
    const log = { fatal: (_: object, message: string) => fatal.push(message) } as unknown as Logger;
    const code = await new Promise<number>((exit) => {
      new ThreadKeeper({
        ...{ config, log, exit, slots: new TurnSlots(1) },
        renewed: () => undefined,
        lost: () => undefined,
      });
    });
    expect([code, fatal]).toEqual([1, ['the thread that keeps the lease has ended: this worker ends with it']]);
  });
});
