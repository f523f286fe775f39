import { GroupCommit, type GroupCommitOptions, QueueFull } from '#shared/store/group-commit';

interface Batch {
  readonly items: string[];
  readonly resolve: (results: string[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A commit that ends when the test says so. */
class HeldCommits {
  readonly batches: Batch[] = [];
  private running = 0;
  private readonly waiting: ((batch: Batch) => void)[] = [];

  readonly commit = async (items: string[]): Promise<string[]> => {
    this.running += 1;
    expect(this.running).toBe(1);
    try {
      return await new Promise<string[]>((resolve, reject) => {
        const batch = { items, resolve, reject };
        this.batches.push(batch);
        this.waiting.shift()?.(batch);
      });
    } finally {
      this.running -= 1;
    }
  };

  /** Resolves when the next batch is being committed. */
  next(): Promise<Batch> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

const done = (batch: Batch): void => batch.resolve(batch.items.map((item) => `${item}!`));
const PASSING = Object.assign(new Error('the server is shutting down'), { code: '57P01' });
const LASTING = Object.assign(new Error('invalid text'), { code: '22021' });

function group(over: Partial<GroupCommitOptions<string, string>> = {}): [GroupCommit<string, string>, HeldCommits] {
  const held = new HeldCommits();
  return [new GroupCommit<string, string>({ commit: held.commit, ...over }), held];
}

const settled = (promises: Promise<string>[]): Promise<string[]> =>
  Promise.allSettled(promises).then((all) =>
    all.map((one) => (one.status === 'fulfilled' ? one.value : `failed: ${(one.reason as Error).message}`)),
  );

describe('GroupCommit', () => {
  it('commits at once when idle what came in the same turn of the loop, and answers each in order', async () => {
    const [commits, held] = group();
    const first = held.next();
    const answers = ['a', 'b', 'c'].map((item) => commits.add(item));
    const batch = await first;
    expect(batch.items).toEqual(['a', 'b', 'c']);
    done(batch);
    await expect(Promise.all(answers)).resolves.toEqual(['a!', 'b!', 'c!']);
  });

  it('gathers what arrives while one batch is under way into the next, never two at once', async () => {
    const [commits, held] = group();
    const first = held.next();
    void commits.add('a');
    const one = await first;
    const answers = ['b', 'c'].map((item) => commits.add(item));
    expect(commits.queued).toBe(2);
    const second = held.next();
    done(one);
    const two = await second;
    expect(two.items).toEqual(['b', 'c']);
    done(two);
    await expect(Promise.all(answers)).resolves.toEqual(['b!', 'c!']);
    expect(held.batches).toHaveLength(2);
  });

  it('answers only after the commit', async () => {
    const [commits, held] = group();
    const first = held.next();
    let answered = false;
    const answer = commits.add('a').then(() => (answered = true));
    const batch = await first;
    expect(answered).toBe(false);
    done(batch);
    await answer;
  });

  it('takes no more at once than a batch may hold, in order', async () => {
    const [commits, held] = group({ maxBatch: 2 });
    const answers = ['a', 'b', 'c', 'd', 'e'].map((item) => commits.add(item));
    for (const expected of [['a', 'b'], ['c', 'd'], ['e']]) {
      const batch = await held.next();
      expect(batch.items).toEqual(expected);
      done(batch);
    }
    await expect(Promise.all(answers)).resolves.toHaveLength(5);
  });

  it('puts items with one key into batches of their own, in their order, and delays no others for it', async () => {
    const [commits, held] = group({ keyOf: (item) => item.charAt(0), maxBatch: 3 });
    const answers = ['a1', 'a2', 'b1', 'a3', 'c1', 'b2', 'd1'].map((item) => commits.add(item));
    for (const expected of [['a1', 'b1', 'c1'], ['a2', 'b2', 'd1'], ['a3']]) {
      const batch = await held.next();
      expect(batch.items).toEqual(expected);
      done(batch);
    }
    await expect(Promise.all(answers)).resolves.toEqual(['a1!', 'a2!', 'b1!', 'a3!', 'c1!', 'b2!', 'd1!']);
  });
});

describe('GroupCommit, when a commit fails', () => {
  /** Fails any batch that holds `bad`, whatever else is in it. */
  function poisoned(error: Error): [GroupCommit<string, string>, string[][]] {
    const batches: string[][] = [];
    const commit = async (items: string[]): Promise<string[]> => {
      batches.push(items);
      if (items.includes('bad')) throw error;
      return items.map((item) => `${item}!`);
    };
    return [new GroupCommit({ commit }), batches];
  }

  it('for good: the one bad item fails alone', async () => {
    const [commits, batches] = poisoned(LASTING);
    const answers = ['a', 'bad', 'c'].map((item) => commits.add(item));
    await expect(settled(answers)).resolves.toEqual(['a!', 'failed: invalid text', 'c!']);
    expect(batches).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
  });

  it('in passing: all of the batch fail, since it is in doubt for all of them, and none is tried again', async () => {
    const [commits, batches] = poisoned(PASSING);
    const answers = ['a', 'bad', 'c'].map((item) => commits.add(item));
    await expect(settled(answers)).resolves.toEqual(Array(3).fill('failed: the server is shutting down'));
    expect(batches).toHaveLength(1);
  });

  it.each([LASTING, PASSING])('goes on with the next batch ($message)', async (error) => {
    const [commits, held] = group();
    const first = held.next();
    const failed = commits.add('a');
    const one = await first;
    const next = commits.add('b');
    const second = held.next();
    one.reject(error);
    await expect(failed).rejects.toBe(error);
    done(await second);
    await expect(next).resolves.toBe('b!');
  });

  it('and one item of it again in passing: that one fails, the others are committed', async () => {
    let alone = 0;
    const commit = async (items: string[]): Promise<string[]> => {
      if (items.length > 1) throw LASTING;
      alone += 1;
      if (alone === 2) throw PASSING;
      return items;
    };
    const commits = new GroupCommit<string, string>({ commit });
    const answers = ['a', 'b', 'c'].map((item) => commits.add(item));
    await expect(settled(answers)).resolves.toEqual(['a', 'failed: the server is shutting down', 'c']);
  });

  it('lets no item of the same key overtake while the items of a batch are committed one by one', async () => {
    const order: string[] = [];
    const commit = async (items: string[]): Promise<string[]> => {
      if (items.length > 1) throw LASTING;
      order.push(...items);
      if (items[0] === 'a1') answers.push(commits.add('a2'));
      return items;
    };
    const commits = new GroupCommit<string, string>({ commit, keyOf: (item) => item.charAt(0) });
    const answers = ['a1', 'b1'].map((item) => commits.add(item));
    await commits.idle();
    await Promise.all(answers);
    expect(order).toEqual(['a1', 'b1', 'a2']);
  });
});

describe('GroupCommit, and its limits', () => {
  it('refuses what is beyond the queue at once, and takes more when there is room', async () => {
    const [commits, held] = group({ maxQueued: 2 });
    const first = held.next();
    const answers = [commits.add('a')];
    const one = await first;
    answers.push(commits.add('b'), commits.add('c'));
    await expect(commits.add('d')).rejects.toThrow(QueueFull);
    const second = held.next();
    done(one);
    const two = await second;
    answers.push(commits.add('e'));
    const third = held.next();
    done(two);
    done(await third);
    await expect(Promise.all(answers)).resolves.toEqual(['a!', 'b!', 'c!', 'e!']);
  });

  it('is idle when nothing waits and nothing is under way, not before', async () => {
    const [commits, held] = group();
    await commits.idle();
    const first = held.next();
    void commits.add('a');
    let idle = false;
    const became = commits.idle().then(() => (idle = true));
    const one = await first;
    void commits.add('b');
    const second = held.next();
    done(one);
    const two = await second;
    expect(idle).toBe(false);
    done(two);
    await became;
    expect(commits.queued).toBe(0);
    await commits.idle();
  });

  it('becomes idle after a failure too', async () => {
    const [commits, held] = group();
    const first = held.next();
    const answer = commits.add('a');
    (await first).reject(LASTING);
    await expect(answer).rejects.toBe(LASTING);
    await commits.idle();
  });
});

describe('GroupCommit, and what its owner adds before each batch', () => {
  it('asks before every batch, and takes what is added with it', async () => {
    const extras = [['x'], [], ['y', 'z']];
    const asked: string[] = [];
    const batches: string[][] = [];
    const commits = new GroupCommit<string, string>({
      commit: async (items) => {
        batches.push(items);
        return items;
      },
      beforeBatch: () => {
        const more = extras.shift() ?? [];
        asked.push(more.join());
        for (const item of more) void commits.add(item);
      },
    });
    await commits.add('a');
    await commits.idle();
    expect(batches).toEqual([['a', 'x']]);
    expect(asked).toEqual(['x', '']);
    await commits.add('b');
    await commits.idle();
    expect(batches).toEqual([
      ['a', 'x'],
      ['b', 'y', 'z'],
    ]);
  });

  it('can be woken for what the owner has, though nothing was added', async () => {
    const batches: string[][] = [];
    let pending = ['x'];
    const commits = new GroupCommit<string, string>({
      commit: async (items) => {
        batches.push(items);
        return items;
      },
      beforeBatch: () => {
        for (const item of pending) void commits.add(item);
        pending = [];
      },
    });
    commits.wake();
    commits.wake();
    await commits.idle();
    expect(batches).toEqual([['x']]);
    commits.wake();
    await commits.idle();
    expect(batches).toHaveLength(1);
  });
});
