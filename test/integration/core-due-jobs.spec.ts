import { claimStep } from '#shared/domain/turn/claim';
import { cancelJob } from '#shared/domain/turn/cancel';
import { DueJobs, type DueLook, type ReleasedJob } from '#shared/store/jobs/due-jobs';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { pipelineOf, set, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { holdJob, untilWaiting } from './core-connections';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let due: DueJobs;
let pipeline: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  due = new DueJobs(await stage.connect(2), { remembers: false });
  pipeline = await stage.save(pipelineOf([stepNamed('a'), stepNamed('b', { needs: ['a'] }), stepNamed('c')]));
});
afterAll(async () => {
  await due.close();
  await stage.close();
});

/** A held job that is due in so many seconds. */
async function putHeld(seconds: number): Promise<string> {
  const id = await stage.put(pipeline, { fields: { status: 'scheduled', open: 0n, dispatchedAt: null } });
  await stage.server.query(
    `UPDATE jobs SET due_at = now() + $2 * interval '1 second', eta = now(), input = '{"n": 1}', source = '/s',
                     source_type = 'local_path' WHERE id = $1`,
    [id, seconds],
  );
  return id;
}

async function dueAtOf(id: string): Promise<number | undefined> {
  const query = 'SELECT (extract(epoch FROM due_at) * 1000000)::float8 AS due FROM jobs WHERE id = $1';
  return (await stage.server.query<{ due: number }>(query, [id]))[0]?.due;
}

const ids = ({ jobs }: DueLook): string[] => jobs.map((job) => job.id);

/** In how many milliseconds after a look the next job is due. */
const nextInMs = ({ next, now }: DueLook): number | null => (next === null ? null : (next - now) / 1_000);

/** A scheduler must not need the memory for five hundred of them, nor hold their locks while it takes them. */
it('leaves large inputs to whoever runs the job', async () => {
  const [small, large] = [await putHeld(-1), await putHeld(-1)];
  await stage.server.query(
    `UPDATE jobs SET input = (SELECT jsonb_object_agg(n, md5(n::text)) FROM generate_series(1, 500) n) WHERE id = $1`,
    [large],
  );
  const released = new Map((await due.release(100)).jobs.map((job) => [job.id, job]));
  expect(released.get(small)?.data?.input).toEqual({ n: 1 });
  expect(released.get(large)).toMatchObject({ opened: set(0, 2), status: 'pending' });
  expect(released.get(large)?.data).toBeUndefined();
});

describe('DueJobs.release', () => {
  it('releases what is due, with all that its first turns need, and leaves the rest', async () => {
    const [past, future] = [await putHeld(-1), await putHeld(3_600)];
    const before = await stage.read(future);
    const dueAt = await dueAtOf(past);
    const look = await due.release(100);
    const { fields, versions } = await stage.read(past);
    expect(look).toEqual({
      now: fields.dispatchedAt,
      next: await dueAtOf(future),
      isFull: false,
      isBlocked: false,
      jobs: expect.any(Array) as unknown,
    });
    expect(look.jobs).toEqual([
      {
        ...{ id: past, pipelineHash: pipeline.hash, priority: 'default', version: 2, opened: set(0, 2), dueAt },
        releasedAt: fields.dispatchedAt,
        ...{ run: 1, status: 'pending' },
        data: {
          ...{ source: '/s', source_type: 'local_path', branch: null, commit: null, input: { n: 1 }, options: {} },
          outputs: {},
        },
      },
    ]);
    expect(fields).toMatchObject({ status: 'pending', open: set(0, 2), version: 2, run: 1 });
    expect(versions.due_at).toBeNull();
    expect(versions.queued_at?.getTime()).toBe(Math.floor((fields.dispatchedAt ?? 0) / 1_000));
    expect(await stage.read(future)).toEqual(before);
    expect((await due.release(100)).jobs).toEqual([]);
    await stage.server.query('UPDATE jobs SET due_at = NULL WHERE id = $1', [future]);
  });

  it('releases nothing before its time, and each soon after it', async () => {
    const waiting = new Map<string, number>();
    for (const seconds of [0.05, 0.1, 0.15, 0.2, 0.25]) {
      const id = await putHeld(seconds);
      waiting.set(id, (await dueAtOf(id)) ?? Infinity);
    }
    const released: ReleasedJob[] = [];
    let look = await due.release(100);
    await until(async () => {
      released.push(...look.jobs);
      const left = [...waiting].filter(([id]) => !released.some((job) => job.id === id));
      expect(look.next).toBe(left.length === 0 ? null : Math.min(...left.map(([, dueAt]) => dueAt)));
      if (left.length > 0) look = await due.release(100);
      return left.length === 0;
    });
    expect(released).toHaveLength(waiting.size);
    for (const job of released) expect(job.releasedAt).toBeGreaterThanOrEqual(waiting.get(job.id) ?? Infinity);
  });

  it('takes the longest due first, no more than it is asked for', async () => {
    const held = [await putHeld(-1), await putHeld(-3), await putHeld(-2)];
    expect(ids(await due.release(2)).sort()).toEqual([held[1], held[2]].sort());
    expect(ids(await due.release(2))).toEqual([held[0]]);
  });

  it('releases each job once, however many do it at once', async () => {
    const held: string[] = [];
    while (held.length < 150) held.push(await putHeld(-1));
    const database = await stage.connect(6);
    const releasers = Array.from({ length: 6 }, () => new DueJobs(database));
    const released: string[] = [];
    await Promise.all(
      releasers.map(async (releaser) => {
        for (;;) {
          released.push(...ids(await releaser.release(7)));
          if (released.length >= held.length) return;
        }
      }),
    );
    for (const releaser of releasers) await releaser.close();
    expect(released.sort()).toEqual(held.sort());
    const [count] = await stage.server.query(
      `SELECT count(*)::int AS n FROM jobs WHERE id = ANY ($1) AND version = 2`,
      [held],
    );
    expect(count).toEqual({ n: 150 });
  });

  it('passes over a job that somebody is changing, and takes it afterwards if it is still held', async () => {
    const [locked, free, cancelled] = [await putHeld(-3), await putHeld(-1), await putHeld(-2)];
    const holders = [await holdJob(stage.server, locked), await holdJob(stage.server, cancelled)];
    expect(ids(await due.release(10))).toEqual([free]);
    await holders[1]?.query(`UPDATE jobs SET status = 'cancelled', due_at = NULL WHERE id = $1`, [cancelled]);
    for (const holder of holders) await holder.commit();
    expect(ids(await due.release(10))).toEqual([locked]);
  });

  it('gives a cancel that comes at the same moment either a held job or a pending one, never both', async () => {
    const transactions = new JobTransactions(await stage.connect(2), stage.pipelines);
    for (let round = 0; round < 30; round += 1) {
      const id = await putHeld(-1);
      const [{ jobs: released }, cancel] = await Promise.all([
        due.release(10),
        transactions.run({ jobId: id, apply: (draft) => cancelJob(draft) }),
      ]);
      const { fields, versions } = await stage.read(id);
      expect([released.length, cancel?.result, fields.status]).toEqual(
        released.length === 1 ? [1, 'cancelling', 'cancelling'] : [0, 'cancelled', 'cancelled'],
      );
      expect(versions.due_at).toBeNull();
    }
    await transactions.close();
  });

  it('opens nothing for a claim that waits for the release of a job that is cancelled instead', async () => {
    const id = await putHeld(-1);
    const transactions = new JobTransactions(await stage.connect(2), stage.pipelines);
    const holder = await holdJob(stage.server, id);
    const claimed = transactions.run({
      jobId: id,
      apply: (draft, { leases, pools }) =>
        claimStep(draft, {
          ...{ run: 1, head: 0, worker: 'A', leases, pools, isOwn: () => false, knows: () => false },
          mayTakeSuspect: () => true,
        }),
    });
    await untilWaiting(stage.server, 1);
    await holder.query(`UPDATE jobs SET status = 'cancelled', due_at = NULL WHERE id = $1`, [id]);
    await holder.commit();
    expect((await claimed)?.result).toEqual({ kind: 'nothing' });
    await transactions.close();
  });
});

describe('what a look says of what it leaves', () => {
  const tidy = (): Promise<unknown> => stage.server.query('UPDATE jobs SET due_at = NULL WHERE due_at IS NOT NULL');
  afterEach(tidy);

  it('is when the next job is due, in the same round trip as the release; null when none is held', async () => {
    expect(await due.release(10)).toMatchObject({ jobs: [], next: null, isFull: false, isBlocked: false });
    const soon = await putHeld(60);
    await putHeld(3_600);
    const overdue = await putHeld(-2);
    const look = await due.release(10);
    expect(ids(look)).toEqual([overdue]);
    expect(look.next).toBe(await dueAtOf(soon));
    expect(nextInMs(look)).toBeGreaterThan(50_000);
    expect(nextInMs(look)).toBeLessThanOrEqual(60_000);
  });

  it('is that there may be more when it took as many as it might', async () => {
    for (const seconds of [-3, -2, -1]) await putHeld(seconds);
    expect(await due.release(2)).toMatchObject({ isFull: true, isBlocked: false, next: null });
    expect(await due.release(2)).toMatchObject({ isFull: false, isBlocked: false, next: null });
  });

  it('is that somebody else has locked a job that is due: the next one after it is no reason to look at once', async () => {
    const [locked, later] = [await putHeld(-1), await putHeld(60)];
    const holder = await holdJob(stage.server, locked);
    const blocked = await due.release(10);
    expect(blocked).toMatchObject({ jobs: [], isFull: false, isBlocked: true, next: await dueAtOf(later) });
    await holder.commit();
    const look = await due.release(10);
    expect([ids(look), look.isBlocked]).toEqual([[locked], false]);
  });
});

describe('DueJobs that remember', () => {
  const remembering = async (): Promise<DueJobs> => new DueJobs(await stage.connect(1), { remembers: true });

  it('release all that they would without, each batch after the one before', async () => {
    const held: string[] = [];
    for (let job = 0; job < 25; job += 1) held.push(await putHeld(-100 + job));
    const releaser = await remembering();
    const released: string[] = [];
    for (let batch = 0; batch < 4; batch += 1) released.push(...ids(await releaser.release(8)));
    expect(released.sort()).toEqual(held.sort());
    const soon = await putHeld(0.05);
    await until(async () => ids(await releaser.release(8)).includes(soon));
    await releaser.close();
  });

  it('leave a job that shows up long after it was due to those that do not', async () => {
    const releaser = await remembering();
    await releaser.release(8);
    const [late, lately] = [await putHeld(-30), await putHeld(-0.5)];
    expect(ids(await releaser.release(8))).toEqual([lately]);
    expect(ids(await due.release(8))).toEqual([late]);
    await releaser.close();
  });

  it('keep a locked job in sight until it is let go of, however long that takes', async () => {
    const releaser = await remembering();
    await releaser.release(8);
    const locked = await putHeld(-0.8);
    const dueAt = (await dueAtOf(locked)) ?? 0;
    const holder = await holdJob(stage.server, locked);
    // What lies so far back would be passed over, were it not for the lock.
    await until(async () => {
      const { isBlocked, now } = await releaser.release(8);
      expect(isBlocked).toBe(true);
      return now - dueAt > 1_100_000;
    });
    await holder.commit();
    expect(ids(await releaser.release(8))).toEqual([locked]);
    await releaser.close();
  });
});
