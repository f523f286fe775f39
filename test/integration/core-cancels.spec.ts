import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { Cancels, LOOK_START } from '#shared/store/jobs/cancels';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let transactions: JobTransactions;
let cancels: Cancels;
let chain: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  const database = await stage.connect();
  transactions = new JobTransactions(database, stage.pipelines);
  cancels = new Cancels(database);
  chain = await stage.save(CHAIN);
});
afterAll(async () => {
  await transactions.close();
  await stage.close();
});
beforeEach(() => stage.server.query('DELETE FROM jobs; DELETE FROM workers'));

/** A job whose cancel was committed and not marked yet. */
async function cancelled(): Promise<string> {
  const id = await stage.put(chain);
  await transactions.run({ jobId: id, apply: cancelJob });
  return id;
}

/** A worker that registered an hour ago, with an hour of lease; times in SQL. */
async function worker(id: string, columns: { lease?: string; registered?: string } = {}): Promise<void> {
  const { lease = `now() + interval '1 h'`, registered = `now() - interval '1 h'` } = columns;
  await stage.server.query(
    `INSERT INTO workers (id, name, version, pid, queues, capacity, lease_until, registered_at)
     VALUES ($1, $1, '1', 1, '{default}', 50, ${lease}, ${registered})`,
    [id],
  );
}

const NOBODY: readonly string[] = [];

describe('a look', () => {
  it('shows what is being cancelled, oldest first, and nothing else', async () => {
    await stage.put(chain);
    const held = await stage.put(chain, { fields: { status: 'scheduled', open: 0n, dispatchedAt: null } });
    await transactions.run({ jobId: held, apply: cancelJob });
    const [first, second] = [await cancelled(), await cancelled()];
    const { jobs, at, next } = await cancels.look(LOOK_START);
    expect(jobs).toEqual([
      { id: first, run: 1 },
      { id: second, run: 1 },
    ]);
    expect(at).toBeGreaterThan(0);
    expect(next).toBeNull();
  });

  it('that shows as many as it may goes on behind them, however many were cancelled and marked at once', async () => {
    const ids = [await cancelled(), await cancelled(), await cancelled()];
    await stage.server.query('UPDATE jobs SET cancel_at = (SELECT min(cancel_at) FROM jobs)');
    await cancels.mark();
    await worker('me');
    const { jobs, at, next } = await cancels.look(LOOK_START, 2);
    const rest = await cancels.look(next ?? LOOK_START, 2);
    expect([...jobs, ...rest.jobs].map((job) => job.id).toSorted()).toEqual(ids.toSorted());
    expect(rest.next).toBeNull();
    await cancels.acknowledge('me', at, NOBODY);
    expect(await cancels.acknowledged(10)).toHaveLength(3);
  });

  it('shows nothing that has ended, cancelled or completed', async () => {
    const id = await cancelled();
    await transactions.run({ jobId: id, apply: (draft) => finishCancel(draft, new Map(), new Map()) });
    expect(await cancels.look(LOOK_START)).toEqual({ jobs: [], at: 0, next: null });
    expect(await stage.server.query('SELECT cancel_at, cancel_mark FROM jobs')).toEqual([
      { cancel_at: null, cancel_mark: null },
    ]);
  });
});

describe('a cancel is acknowledged', () => {
  it('at once where no worker is alive, but not before its mark', async () => {
    const id = await cancelled();
    await worker('gone', { lease: `now() - interval '1 ms'` });
    expect(await cancels.acknowledged(10)).toEqual([]);
    expect(await cancels.mark(id)).toBe(1);
    expect(await cancels.mark()).toBe(0);
    expect(await cancels.acknowledged(10)).toEqual([id]);
  });

  it('when every live worker has looked after the mark and winds nothing of it down', async () => {
    const id = await cancelled();
    await worker('one');
    await worker('other');
    const early = await cancels.look(LOOK_START);
    await cancels.mark();
    const late = await cancels.look(LOOK_START);
    const steps: [worker: string, until: number, windingDown: string[]][] = [
      ['one', early.at, []],
      ['other', late.at, []],
      ['one', late.at, [id]],
    ];
    for (const [who, until, windingDown] of steps) {
      await cancels.acknowledge(who, until, windingDown);
      expect(await cancels.acknowledged(10)).toEqual([]);
    }
    await cancels.acknowledge('one', late.at, []);
    expect(await cancels.acknowledged(10)).toEqual([id]);
  });

  it('without a worker that came after the mark: it reads before it begins anything older', async () => {
    const id = await cancelled();
    await cancels.mark();
    await worker('new', { registered: 'now()' });
    expect(await cancels.acknowledged(10)).toEqual([id]);
  });

  it('with a look that began before the mark and was written after it: it may have missed the cancel', async () => {
    await worker('me');
    const { at } = await cancels.look(LOOK_START);
    const id = await cancelled();
    const before = Math.max(at, (await clock()) - 60_000_000);
    await cancels.mark();
    await cancels.acknowledge('me', before, NOBODY);
    expect(await cancels.acknowledged(10)).toEqual([]);
    expect((await stage.read(id)).fields.status).toBe('cancelling');
  });
});

async function clock(): Promise<number> {
  const [row] = await stage.server.query<{ us: number }>('SELECT (extract(epoch FROM now()) * 1000000)::float8 AS us');
  return row?.us ?? 0;
}
