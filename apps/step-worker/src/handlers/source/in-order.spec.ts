import { inOrder } from './in-order';

async function* numbers(count: number, taken: number[] = []): AsyncGenerator<number> {
  for (let next = 0; next < count; next += 1) {
    taken.push(next);
    yield next;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('inOrder', () => {
  it('keeps the order whatever ends first, and never has more than the limit at once', async () => {
    let running = 0;
    let most = 0;
    const work = async (item: number): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      for (let turns = (item * 7) % 5; turns > 0; turns -= 1) await nextTurn();
      running -= 1;
      return item * 10;
    };
    expect(await collect(inOrder(numbers(50), 4, work))).toEqual(Array.from({ length: 50 }, (_, index) => index * 10));
    expect(most).toBe(4);
  });

  it('takes no more items than it works on when nobody takes the results', async () => {
    const taken: number[] = [];
    const results = inOrder(numbers(100, taken), 3, (item) => Promise.resolve(item));
    await results.next();
    expect(taken).toEqual([0, 1, 2]);
    await results.return(undefined);
  });

  it('fails when the failing item has its turn, after the ones before it', async () => {
    const seen: number[] = [];
    const work = (item: number): Promise<number> =>
      item === 3 ? Promise.reject(new Error('three')) : Promise.resolve(item);
    const drain = async (): Promise<void> => {
      for await (const result of inOrder(numbers(10), 8, work)) seen.push(result);
    };
    await expect(drain()).rejects.toThrow('three');
    expect(seen).toEqual([0, 1, 2]);
  });
});
