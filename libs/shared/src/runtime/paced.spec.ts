import { Paced } from '#shared/runtime/paced';

let nowMs = 0;
let begun = 0;
let end: (value: number | Error) => void = () => undefined;

const work = (): Promise<number> => {
  begun += 1;
  return new Promise((resolve, reject) => {
    end = (value) => (value instanceof Error ? reject(value) : resolve(value));
  });
};

const paced = (): Paced<number> => new Paced(work, { nowMs: () => nowMs });

beforeEach(() => {
  [nowMs, begun] = [0, 0];
});

async function take(over: Paced<number>, tookMs: number, value: number): Promise<void> {
  const asked = over.get();
  nowMs += tookMs;
  end(value);
  expect(await asked).toBe(value);
}

it('does it once for all who ask meanwhile, and gives what it has for a second', async () => {
  const over = paced();
  const both = [over.get(), over.get()];
  end(7);
  expect(await Promise.all(both)).toEqual([7, 7]);
  nowMs = 999;
  expect(await over.get()).toBe(7);
  expect(begun).toBe(1);
  nowMs = 1_000;
  const next = over.get();
  end(8);
  expect([await next, begun]).toEqual([8, 2]);
});

it('takes a twentieth of the time at most; one that is slow by chance does not count', async () => {
  const over = paced();
  await take(over, 400, 1);
  nowMs += 1_000;
  await take(over, 200, 2);
  nowMs += 200 * 19 - 1;
  expect([await over.get(), begun]).toEqual([2, 2]);
  nowMs += 1;
  await take(over, 100, 3);
  expect(begun).toBe(3);
});

it('hands its failure on until it tries again, and waits for its end', async () => {
  const over = paced();
  const asked = over.get();
  const idle = over.idle();
  end(new Error('no'));
  await expect(asked).rejects.toThrow('no');
  await idle;
  await expect(over.get()).rejects.toThrow('no');
  nowMs = 1_000;
  await take(over, 1, 5);
});
