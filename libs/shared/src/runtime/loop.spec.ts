import type { Logger } from '#shared/runtime/logger';
import { Loop } from '#shared/runtime/loop';

interface Round {
  readonly end: (pauseMs: number) => void;
  readonly fail: (error: Error) => void;
}

/** A loop whose rounds end when the test says so. */
function held(longestPauseMs = 1_000): { loop: Loop; rounds: Round[]; warnings: unknown[] } {
  const rounds: Round[] = [];
  const warnings: unknown[] = [];
  const log = { warn: (details: unknown) => warnings.push(details) } as unknown as Logger;
  const runOnce = (): Promise<number> => new Promise((end, fail) => rounds.push({ end, fail }));
  return { loop: new Loop({ name: 'tried', runOnce, longestPauseMs, log }), rounds, warnings };
}

const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0).then(() => undefined);
const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms).then(() => undefined);

async function end(round: Round | undefined, pauseMs: number): Promise<void> {
  round?.end(pauseMs);
  await settle();
}

async function fail(round: Round | undefined): Promise<void> {
  round?.fail(new Error('no database'));
  await settle();
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('Loop', () => {
  it('makes a round at once, and the next exactly when it asked for it', async () => {
    const { loop, rounds } = held();
    loop.start();
    expect(rounds).toHaveLength(1);
    await end(rounds[0], 500);
    await pass(499);
    expect(rounds).toHaveLength(1);
    await pass(1);
    expect(rounds).toHaveLength(2);
  });

  it('spreads its idle looks by a tenth more or less', async () => {
    const { loop, rounds } = held(500);
    loop.start();
    await end(rounds[0], 500);
    await pass(449);
    expect(rounds).toHaveLength(1);
    await pass(102);
    expect(rounds).toHaveLength(2);
  });

  it('never makes two rounds at once; woken meanwhile, it makes another right after', async () => {
    const { loop, rounds } = held();
    loop.start();
    loop.wake();
    loop.wake();
    await pass(60_000);
    expect(rounds).toHaveLength(1);
    await end(rounds[0], 30_000);
    await pass(1);
    expect(rounds).toHaveLength(2);
    await end(rounds[1], 30_000);
    await pass(20_000);
    expect(rounds).toHaveLength(2);
  });

  it('cuts its pause short when woken, and does not come back for the rest of it', async () => {
    const { loop, rounds } = held();
    loop.start();
    await end(rounds[0], 10_000);
    loop.wake();
    expect(rounds).toHaveLength(2);
    await end(rounds[1], 60_000);
    await pass(12_000);
    expect(rounds).toHaveLength(2);
  });

  it('goes on after a round that failed, sooner at first, never later than its longest pause', async () => {
    const { loop, rounds, warnings } = held(1_000);
    loop.start();
    const pauses: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await fail(rounds[round]);
      let waited = 0;
      while (rounds.length === round + 1 && waited < 5_000) {
        await pass(10);
        waited += 10;
      }
      pauses.push(waited);
    }
    [200, 400, 800, 1_000, 1_000, 1_000].forEach((expected, index) => {
      expect(pauses[index]).toBeGreaterThanOrEqual(expected * 0.9);
      expect(pauses[index]).toBeLessThanOrEqual(expected * 1.1 + 10);
    });
    expect(warnings).toHaveLength(6);
    await end(rounds[6], 0);
    await pass(1);
    await fail(rounds[7]);
    await pass(230);
    expect(rounds).toHaveLength(9);
  });

  it('goes on after a round that threw before it gave a promise', async () => {
    let count = 0;
    const runOnce = (): Promise<number> => {
      count += 1;
      throw new Error('at once');
    };
    const log = { warn: () => undefined } as unknown as Logger;
    const loop = new Loop({ name: 'tried', runOnce, longestPauseMs: 1_000, log });
    loop.start();
    await pass(5_000);
    expect(count).toBeGreaterThan(3);
    await loop.stop();
  });

  it('stops: waits for the round under way, and makes no other, however it is woken', async () => {
    const { loop, rounds } = held();
    loop.start();
    loop.wake();
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    await settle();
    expect(stopped).toBe(false);
    await end(rounds[0], 0);
    await stopping;
    loop.wake();
    await pass(60_000);
    expect(rounds).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('stops in the middle of a pause', async () => {
    const { loop, rounds } = held();
    loop.start();
    await end(rounds[0], 500);
    await loop.stop();
    await pass(60_000);
    expect(rounds).toHaveLength(1);
  });

  it('turns as long as a round has succeeded lately', async () => {
    const { loop, rounds } = held();
    expect(loop.isTurning(5_000)).toBe(false);
    loop.start();
    await fail(rounds[0]);
    expect(loop.isTurning(5_000)).toBe(false);
    loop.wake();
    await end(rounds[1], 60_000);
    expect(loop.isTurning(5_000)).toBe(true);
    await pass(5_001);
    expect(loop.isTurning(5_000)).toBe(false);
  });
});
