import { Drain, DRAIN_STAGES, type DrainOptions } from '#shared/runtime/drain';
import { createLogger } from '#shared/runtime/logger';

const log = createLogger({ service: 'test', level: 'silent' });
const drainWith = (options: Partial<DrainOptions> = {}): Drain => new Drain({ log, graceMs: 10_000, ...options });
const never = new Promise<void>(() => undefined);

describe('Drain', () => {
  it('ends the stages in order, whatever the order of registration, each after the one before', async () => {
    const drain = drainWith();
    const seen: string[] = [];
    for (const stage of [...DRAIN_STAGES].reverse()) {
      drain.register(stage, stage, async () => {
        seen.push(`${stage} begins`);
        await Promise.resolve();
        seen.push(`${stage} ends`);
      });
    }
    await expect(drain.run('test')).resolves.toBe(true);
    expect(seen).toEqual(DRAIN_STAGES.flatMap((stage) => [`${stage} begins`, `${stage} ends`]));
  });

  it('ends once, however often it is told to', async () => {
    const drain = drainWith();
    const end = jest.fn();
    drain.register('work', 'worker', end);
    expect(drain.draining).toBe(false);
    await Promise.all([drain.run('one'), drain.run('two')]);
    expect(drain.draining).toBe(true);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('ends the others when one part fails, and says that not all went well', async () => {
    const drain = drainWith();
    const end = jest.fn();
    drain.register('intake', 'broken', () => {
      throw new Error('cannot stop');
    });
    drain.register('store', 'store', end);
    await expect(drain.run('test')).resolves.toBe(false);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('tells the parts when the grace is over, and goes on when they have handed back', async () => {
    const drain = drainWith({ graceMs: 20 });
    let leftMs = -1;
    drain.register('work', 'worker', async ({ graceOver, graceLeftMs }) => {
      await new Promise((resolve) => graceOver.addEventListener('abort', resolve));
      leftMs = graceLeftMs();
    });
    const end = jest.fn();
    drain.register('store', 'store', end);
    await expect(drain.run('test')).resolves.toBe(true);
    expect(leftMs).toBe(0);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('gives up on a part that never ends', async () => {
    const drain = drainWith({ graceMs: 10, closingLimitMs: 10 });
    drain.register('bus', 'bus', () => never);
    await expect(drain.run('test')).resolves.toBe(false);
  });
});

describe('Drain on signals', () => {
  const EVENTS = ['SIGTERM', 'SIGINT', 'uncaughtException', 'unhandledRejection'] as const;
  const before = new Map(EVENTS.map((event) => [event, process.rawListeners(event)]));
  afterEach(() => {
    for (const event of EVENTS) {
      for (const listener of process.rawListeners(event)) {
        if (before.get(event)?.includes(listener) === false) process.off(event, listener as () => void);
      }
    }
  });

  const exitOf = (prepare: (drain: Drain) => void, act: () => void): Promise<number> =>
    new Promise((resolve) => {
      const drain = drainWith({ exit: resolve, graceMs: 200, closingLimitMs: 200 });
      prepare(drain);
      drain.listen();
      act();
    });

  it.each(['SIGTERM', 'SIGINT'] as const)('drains and exits with 0 on %s', async (signal) => {
    const end = jest.fn();
    const code = await exitOf(
      (drain) => drain.register('store', 'store', end),
      () => process.emit(signal, signal),
    );
    expect(code).toBe(0);
    expect(end).toHaveBeenCalledTimes(1);
  });

  it('exits at once on a second signal', async () => {
    const code = await exitOf(
      (drain) => drain.register('work', 'worker', () => never),
      () => {
        process.emit('SIGTERM', 'SIGTERM');
        process.emit('SIGINT', 'SIGINT');
      },
    );
    expect(code).toBe(130);
  });

  it('exits with 1 after a drain that did not go well', async () => {
    const code = await exitOf(
      (drain) => drain.register('work', 'worker', () => Promise.reject(new Error('no'))),
      () => process.emit('SIGTERM', 'SIGTERM'),
    );
    expect(code).toBe(1);
  });
});
