import { RestingTurns } from './resting-turns';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('RestingTurns', () => {
  it('wait as long as they were told, and no longer', async () => {
    const resting = new RestingTurns();
    const ended: string[] = [];
    const short = resting.wait(500).then((over) => ended.push(`short ${over}`));
    const long = resting.wait(2_000).then((over) => ended.push(`long ${over}`));
    expect(resting.size).toBe(2);
    await jest.advanceTimersByTimeAsync(499);
    expect(ended).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    await short;
    expect([ended, resting.size]).toEqual([['short true'], 1]);
    await jest.advanceTimersByTimeAsync(1_500);
    await long;
    expect([ended, resting.size]).toEqual([['short true', 'long true'], 0]);
  });

  it('are sent away at once by a drain, and none rests after it', async () => {
    const resting = new RestingTurns();
    const waiting = [resting.wait(500), resting.wait(60_000)];
    resting.giveUp();
    expect(await Promise.all(waiting)).toEqual([false, false]);
    expect([resting.size, await resting.wait(1)]).toEqual([0, false]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
