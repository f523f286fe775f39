import { claimStep, type ClaimOutcome } from '#shared/domain/turn/claim';
import { endAttempt, type SettleOutcome } from '#shared/domain/turn/end-attempt';
import type { Database } from '#shared/store/database';
import { FAST_SETTLE } from '#shared/store/jobs/fast-settle-statement';
import { FastSettlement, type FastSettled, type FastStep } from '#shared/store/jobs/fast-settlement';
import { type Applied, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN, COMPLETED, DIAMOND, MEASURED, set } from '../support/drafts';
import { holdJob, untilWaiting, without, withStatement } from './core-connections';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let chain: StoredPipeline;
let diamond: StoredPipeline;
let database: Database;

beforeAll(async () => {
  stage = await openStage();
  database = await stage.connect(12);
  chain = await stage.save(CHAIN);
  diamond = await stage.save(DIAMOND);
});
afterAll(() => stage.close());

/** A worker's two ways to write, each on a connection of its own. */
class Worker {
  readonly fast: FastSettlement;
  readonly transactions: JobTransactions;

  constructor(
    readonly id: string,
    through: Database = database,
  ) {
    this.fast = new FastSettlement(through, () => id);
    this.transactions = new JobTransactions(through, stage.pipelines);
  }

  settleUnread(jobId: string, pipeline: StoredPipeline, idx: number, keepable = 0n): Promise<FastSettled> {
    const step: FastStep = { kind: 'completed', idx, output: { by: this.id }, ...MEASURED };
    return this.fast.settle({ jobId, run: 1, head: idx, graph: pipeline.graph, steps: [step], keepable });
  }

  claim(jobId: string, head: number): Promise<Applied<ClaimOutcome> | null> {
    return this.transactions.run({
      jobId,
      apply: (draft, { leases, pools }) =>
        claimStep(draft, {
          ...{ run: 1, head, worker: this.id, leases, pools, isOwn: (id: string) => id === this.id },
          ...{ knows: () => false, mayTakeSuspect: () => true },
        }),
    });
  }

  settleClaimed(jobId: string, idx: number, epoch: number): Promise<Applied<SettleOutcome> | null> {
    const key = { run: 1, head: idx, idx, epoch, fast: false, worker: this.id };
    return this.transactions.run({
      jobId,
      apply: (draft, { pools }) => endAttempt(draft, key, COMPLETED, MEASURED, pools, () => false),
    });
  }

  async close(): Promise<void> {
    await this.fast.close();
    await this.transactions.close();
  }
}

/** Runs `work` with two workers, closed afterwards. */
async function withWorkers<T>(work: (a: Worker, b: Worker) => Promise<T>, through: Database = database): Promise<T> {
  const [a, b] = [new Worker('A', through), new Worker('B', through)];
  try {
    return await work(a, b);
  } finally {
    await a.close();
    await b.close();
  }
}

const ORDERS = [
  ['b first', 1, 2],
  ['c first', 2, 1],
] as const;

/** Both needs of the diamond's last step are settled while a third transaction holds the job: they wait in this order. */
async function settleBothNeeds(through: Database, first: number, last: number): Promise<[FastSettled[], string]> {
  const id = await stage.put(diamond, { fields: { done: set(0), open: set(1, 2) } });
  const results = await withWorkers(async (a, b) => {
    const holder = await holdJob(stage.server, id);
    const one = a.settleUnread(id, diamond, first);
    await untilWaiting(stage.server, 1);
    const other = b.settleUnread(id, diamond, last);
    await untilWaiting(stage.server, 2);
    await holder.commit();
    return Promise.all([one, other]);
  }, through);
  return [results, id];
}

describe('two turns that settle the last two needs of a join at once', () => {
  it.each(ORDERS)('open it once, by the later one, whichever waits first: %s', async (_, first, last) => {
    const [results, id] = await settleBothNeeds(database, first, last);
    expect(results).toMatchObject([
      { kind: 'settled', opened: 0n, version: 2 },
      { kind: 'settled', opened: set(3), version: 3 },
    ]);
    const { fields, rows } = await stage.read(id);
    expect(fields).toMatchObject({ done: set(0, 1, 2), open: set(3), version: 3, status: 'running' });
    expect(rows.map((row) => [row.idx, row.output])).toEqual([
      [1, { by: first === 1 ? 'A' : 'B' }],
      [2, { by: first === 1 ? 'B' : 'A' }],
    ]);
  });

  it('would lose one of them if the row were not locked before it is looked at', async () => {
    const unlocked = withStatement(FAST_SETTLE, without('    FOR UPDATE\n'), database);
    const [, id] = await settleBothNeeds(unlocked, 1, 2);
    const { fields } = await stage.read(id);
    expect(fields.done & fields.open & set(3)).toBe(0n);
    expect(fields.done).not.toBe(set(0, 1, 2));
  });

  it.each(ORDERS)('one unread, one claimed: the same (%s)', async (_, first, last) => {
    const rows = [{ idx: 2, status: 'running', worker: 'B', epoch: 2 }] as const;
    const id = await stage.put(diamond, { fields: { done: set(0), open: set(1, 2), slow: set(2) }, rows });
    await withWorkers(async (a, b) => {
      const holder = await holdJob(stage.server, id);
      const settle = (idx: number): Promise<unknown> =>
        idx === 1 ? a.settleUnread(id, diamond, 1) : b.settleClaimed(id, 2, 2);
      const one = settle(first);
      await untilWaiting(stage.server, 1);
      const other = settle(last);
      await untilWaiting(stage.server, 2);
      await holder.commit();
      await Promise.all([one, other]);
    });
    expect((await stage.read(id)).fields).toMatchObject({ done: set(0, 1, 2), open: set(3), version: 3 });
  });

  it('open it once, however they come', async () => {
    await withWorkers(async (a, b) => {
      for (let round = 0; round < 60; round += 1) {
        const id = await stage.put(diamond, { fields: { done: set(0), open: set(1, 2) } });
        const results = await Promise.all([
          a.settleUnread(id, diamond, 1, set(3)),
          b.settleUnread(id, diamond, 2, set(3)),
        ]);
        const kept = results.filter((result) => result.kind === 'settled' && result.kept === 3);
        const keepers = results.flatMap((result, index) => (kept.includes(result) ? ['AB'[index]] : []));
        expect(kept).toHaveLength(1);
        const { fields, rows } = await stage.read(id);
        expect(fields).toMatchObject({ done: set(0, 1, 2), open: set(3) });
        expect(rows[2]).toMatchObject({ idx: 3, status: 'running', worker: keepers[0] });
      }
    });
  });
});

describe('a settlement that waits for the job while another changes it', () => {
  const changes: [string, string][] = [
    ['claims its step', 'slow = 1'],
    ['completes its step', 'done = 1, open = 2'],
    ['fails its step for good', 'dead = 7, open = 0'],
    ['takes its step back', 'open = 0'],
    ['cancels the job', `status = 'cancelled', open = 0`],
    ['begins another run', 'run = 2'],
  ];

  /** What becomes of an unread settlement of the first step when `change` is committed while it waits. */
  async function settleBehind(change: string, through: Database = database): Promise<[FastSettled, string, string[]]> {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    return withWorkers(async (a) => {
      const holder = await holdJob(stage.server, id);
      const settled = a.settleUnread(id, chain, 0, set(1));
      await untilWaiting(stage.server, 1);
      await holder.query(`UPDATE jobs SET ${change} WHERE id = $1`, [id]);
      await holder.commit();
      const result = await settled;
      const left = (await stage.dump()).filter((line) => line.includes(id));
      return [result, id, left];
    }, through);
  }

  it.each(changes)('is stale and writes nothing when that %s', async (_, change) => {
    const [result, , left] = await settleBehind(change);
    expect(result).toEqual({ kind: 'stale' });
    expect(left).toHaveLength(1);
    expect(left[0]).toContain('"version": 1');
  });

  it('sees what it must not overwrite: the status, the version, the times', async () => {
    const change = `status = 'cancelling', version = 7, started_at = '2026-01-01', dispatched_at = '2026-01-02'`;
    const [result, id] = await settleBehind(change);
    expect(result).toMatchObject({
      kind: 'settled',
      status: 'cancelling',
      statusBefore: 'cancelling',
      version: 8,
      opened: 0n,
    });
    expect((await stage.read(id)).fields).toMatchObject({
      ...{ status: 'cancelling', version: 8, open: 0n, startedAt: Date.UTC(2026, 0, 1) * 1_000 },
      dispatchedAt: Date.UTC(2026, 0, 2) * 1_000,
    });
  });

  it.each([
    ['claims its step', 'slow = 1', '(done | dead | slow)', '(done | dead)'],
    ['completes its step', 'done = 1, open = 3', '(done | dead | slow)', '(dead | slow)'],
    ['fails its step for good', 'dead = 7, open = 1', '(done | dead | slow)', '(done | slow)'],
    ['takes its step back', 'open = 0', ' AND open & u.pre = u.pre', ''],
    ['begins another run', 'run = 2', ' AND jobs.run = u.run', ''],
  ])('would write it all when that %s, without the guard against it', async (_, change, guard, instead) => {
    const [result, , left] = await settleBehind(change, withStatement(FAST_SETTLE, without(guard, instead), database));
    expect(result.kind).toBe('settled');
    expect(left.length).toBeGreaterThan(1);
    expect((await settleBehind(change))[0]).toEqual({ kind: 'stale' });
  });
});

describe('an unread attempt and a claim of the same step', () => {
  it.each(['settlement', 'claim'] as const)('the one that has the job first wins: %s', async (first) => {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    const [settled, claimed] = await withWorkers(async (a, b) => {
      const holder = await holdJob(stage.server, id);
      const begin = { settlement: () => a.settleUnread(id, chain, 0), claim: () => b.claim(id, 0) };
      const one = begin[first]();
      await untilWaiting(stage.server, 1);
      const other = begin[first === 'claim' ? 'settlement' : 'claim']();
      await untilWaiting(stage.server, 2);
      await holder.commit();
      const ends = await Promise.all([one, other]);
      return (first === 'claim' ? ends.reverse() : ends) as [FastSettled, Applied<ClaimOutcome> | null];
    });
    const { fields, rows } = await stage.read(id);
    if (first === 'claim') {
      expect([settled.kind, claimed?.result]).toMatchObject(['stale', { kind: 'taken', idx: 0, epoch: 2 }]);
      expect(fields).toMatchObject({ open: set(0), done: 0n, slow: set(0) });
      expect(rows).toMatchObject([{ status: 'running', worker: 'B', epoch: 2, output: null }]);
    } else {
      expect([settled.kind, claimed?.result]).toEqual(['settled', { kind: 'nothing' }]);
      expect(fields).toMatchObject({ open: set(1), done: set(0), slow: 0n });
      expect(rows).toMatchObject([{ status: 'completed', worker: 'A', epoch: 1 }]);
    }
  });

  /** A worker ran the step unread and stopped; another claimed it since. The first one comes back and settles. */
  async function settleLate(
    through: Database,
  ): Promise<{ result: FastSettled; done: bigint; row: string | undefined }> {
    const id = await stage.put(chain);
    return withWorkers(async (a, b) => {
      await b.claim(id, 0);
      const result = await a.settleUnread(id, chain, 0);
      const { fields, rows } = await stage.read(id);
      return { result, done: fields.done, row: rows[0]?.status };
    }, through);
  }

  it('a settlement that comes after a claim changes nothing, thanks to the slow bit', async () => {
    const guarded = await settleLate(database);
    expect(guarded).toEqual({ result: { kind: 'stale' }, done: 0n, row: 'running' });
    const withoutSlow = without('(done | dead | slow)', '(done | dead)');
    // Without it the job believes the step done, and its row stays with the other worker for ever.
    const unguarded = await settleLate(withStatement(FAST_SETTLE, withoutSlow, database));
    expect(unguarded).toMatchObject({ result: { kind: 'settled' }, done: set(0), row: 'running' });
  });

  it('exactly one of them, however they come', async () => {
    await withWorkers(async (a, b) => {
      for (let round = 0; round < 60; round += 1) {
        const id = await stage.put(chain);
        const [settled, claimed] = await Promise.all([a.settleUnread(id, chain, 0), b.claim(id, 0)]);
        expect([settled.kind, claimed?.result.kind]).toEqual(
          settled.kind === 'stale' ? ['stale', 'taken'] : ['settled', 'nothing'],
        );
        const { rows, attempts } = await stage.read(id);
        expect(rows).toHaveLength(1);
        expect(attempts).toHaveLength(settled.kind === 'stale' ? 0 : 1);
      }
    });
  });
});

describe('a claimed attempt whose step another worker has claimed since', () => {
  it('settles nothing, before and after the other has ended', async () => {
    const id = await stage.put(chain);
    await withWorkers(async (a, b) => {
      const first = await a.claim(id, 0);
      const second = await b.claim(id, 0);
      expect([first?.result, second?.result]).toMatchObject([
        { kind: 'taken', epoch: 2 },
        { kind: 'taken', epoch: 3, suspectMs: expect.any(Number) as number },
      ]);
      const before = await stage.dump();
      expect((await a.settleClaimed(id, 0, 2))?.result).toEqual({ kind: 'stale' });
      expect((await a.settleUnread(id, chain, 0)).kind).toBe('stale');
      expect(await stage.dump()).toEqual(before);
      expect((await b.settleClaimed(id, 0, 3))?.result.kind).toBe('settled');
      const after = await stage.dump();
      expect((await a.settleClaimed(id, 0, 2))?.result).toEqual({ kind: 'stale' });
      expect((await b.settleClaimed(id, 0, 3))?.result).toEqual({ kind: 'stale' });
      expect(await stage.dump()).toEqual(after);
    });
    const { attempts } = await stage.read(id);
    expect(attempts.map(({ epoch, number, outcome, worker }) => [epoch, number, outcome, worker])).toEqual([
      [2, 1, 'crashed', 'A'],
      [3, 2, 'completed', 'B'],
    ]);
  });

  it('settles nothing when both write at once, in either order', async () => {
    for (const order of ['stale first', 'owner first'] as const) {
      const rows = [{ idx: 0, status: 'running', worker: 'B', epoch: 3, crashes: 1 }] as const;
      const id = await stage.put(chain, { fields: { slow: set(0) }, rows });
      await withWorkers(async (a, b) => {
        const holder = await holdJob(stage.server, id);
        const writes = [() => a.settleClaimed(id, 0, 2), () => b.settleClaimed(id, 0, 3)];
        if (order === 'owner first') writes.reverse();
        const [one, other] = writes;
        const first = one?.();
        await untilWaiting(stage.server, 1);
        const second = other?.();
        await untilWaiting(stage.server, 2);
        await holder.commit();
        const kinds = [(await first)?.result.kind, (await second)?.result.kind];
        expect(kinds).toEqual(order === 'stale first' ? ['stale', 'settled'] : ['settled', 'stale']);
      });
      const { fields, attempts } = await stage.read(id);
      expect([fields.done, attempts.map((attempt) => attempt.epoch)]).toEqual([set(0), [3]]);
    }
  });
});
