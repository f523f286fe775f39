/**
 * Works on up to `limit` items at once and gives the results in the order of the items. Takes the next item only when
 * the oldest result has been taken, so neither items nor results pile up.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It may fail long before its turn comes; the failure is met there.
      result.catch(() => undefined);
      running.push(result);
      const oldest = running.length >= limit ? running.shift() : undefined;
      if (oldest) yield await oldest;
    }
    for (let oldest = running.shift(); oldest; oldest = running.shift()) yield await oldest;
  } finally {
    await Promise.allSettled(running);
  }
}
