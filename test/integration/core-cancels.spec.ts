import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { Cancels } from '#shared/store/jobs/cancels';
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
    const { jobs, until, at } = await cancels.look();
    expect(jobs).toEqual([
      { id: first, run: 1 },
      { id: second, run: 1 },
    ]);
    expect(until).toBe(at);
  });

  it('that cannot show all says up to where it has seen', async () => {
    const [first, second] = [await cancelled(), await cancelled()];
    const look = await cancels.look(1);
    expect(look.jobs).toEqual([{ id: first, run: 1 }]);
    await worker('me');
    await cancels.mark();
    await cancels.acknowledge('me', look.until, NOBODY);
    expect(await cancels.acknowledged(10)).toEqual([]);
    const all = await cancels.look(2);
    await cancels.acknowledge('me', all.until, NOBODY);
    // Of as many as it may show, the last one may have others behind it.
    expect(await cancels.acknowledged(10)).toEqual([]);
    await cancels.acknowledge('me', (await cancels.look()).until, NOBODY);
    expect(await cancels.acknowledged(10)).toEqual([first, second]);
  });

  it('shows nothing that has ended, cancelled or completed', async () => {
    const id = await cancelled();
    await transactions.run({ jobId: id, apply: (draft) => finishCancel(draft, new Map(), new Map()) });
    expect(await cancels.look()).toEqual({ jobs: [], until: 0, at: 0 });
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
    const early = await cancels.look();
    await cancels.mark();
    const late = await cancels.look();
    const steps: [worker: string, until: number, windingDown: string[]][] = [
      ['one', early.until, []],
      ['other', late.until, []],
      ['one', late.until, [id]],
    ];
    for (const [who, until, windingDown] of steps) {
      await cancels.acknowledge(who, until, windingDown);
      expect(await cancels.acknowledged(10)).toEqual([]);
    }
    await cancels.acknowledge('one', late.until, []);
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
    const { until } = await cancels.look();
    const id = await cancelled();
    const before = Math.max(until, (await clock()) - 60_000_000);
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
