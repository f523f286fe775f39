import { PacedRead } from '#shared/runtime/paced-read';

/** A clock that only the test moves. */
function atTime(): { now: number } {
  const clock = { now: 0 };
  jest.spyOn(performance, 'now').mockImplementation(() => clock.now);
  return clock;
}

afterEach(() => jest.restoreAllMocks());

describe('PacedRead', () => {
  it('reads once for all who ask meanwhile, and answers again from memory for a while', async () => {
    const clock = atTime();
    let reads = 0;
    const paced = new PacedRead(() => Promise.resolve((reads += 1)), { leastMs: 1_000 });
    await expect(Promise.all([paced.get(), paced.get()])).resolves.toEqual([1, 1]);
    clock.now = 999;
    await expect(paced.get()).resolves.toBe(1);
    clock.now = 1_000;
    await expect(paced.get()).resolves.toBe(2);
  });

  it('never spends more than its share of the time', async () => {
    const clock = atTime();
    let reads = 0;
    const slow = async (): Promise<number> => {
      clock.now += 500;
      return (reads += 1);
    };
    const paced = new PacedRead(slow, { share: 0.05 });
    await paced.get();
    clock.now = 500 + 9_999;
    await expect(paced.get()).resolves.toBe(1);
    clock.now = 500 + 10_000;
    await expect(paced.get()).resolves.toBe(2);
  });

  it('reads again after a failure', async () => {
    let reads = 0;
    const paced = new PacedRead(() => ((reads += 1) === 1 ? Promise.reject(new Error('away')) : Promise.resolve(reads)));
    await expect(paced.get()).rejects.toThrow('away');
    await expect(paced.get()).resolves.toBe(2);
  });
});
