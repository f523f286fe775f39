import type { StepRow } from '#shared/domain/turn/job-draft';
import { StuckSteps, SWEEP_START, type SweepPosition } from '#shared/store/jobs/stuck-steps';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN, SECOND, set } from '../support/drafts';
import { type CoreStage, type JobToPut, openStage } from './core-stage';

const FOR_EVER = Number.MAX_SAFE_INTEGER;

let stage: CoreStage;
let stuck: StuckSteps;
let chain: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  stuck = new StuckSteps(await stage.connect());
  chain = await stage.save(CHAIN);
});
afterAll(() => stage.close());
beforeEach(() => stage.server.query('TRUNCATE jobs, steps, pools'));

/** A job created, and dispatched, so many seconds ago. */
async function putOld(agoSeconds: number, job: JobToPut = {}): Promise<string> {
  const id = await stage.put(chain, job);
  await stage.server.query(
    `UPDATE jobs SET created_at = now() - $2 * interval '1 second', dispatched_at = now() - $2 * interval '1 second'
     WHERE id = $1`,
    [id, agoSeconds],
  );
  return id;
}

const found = async (marginMs = 20_000, before = FOR_EVER, from = SWEEP_START): Promise<string[]> =>
  (await stuck.activeJobs(from, before, marginMs, 100)).map((job) => job.id);

describe('StuckSteps.activeJobs', () => {
  it.each([
    ['pending', true],
    ['running', true],
    ['cancelling', false],
    ['scheduled', false],
    ['waiting', false],
    ['completed', false],
    ['failed', false],
    ['cancelled', false],
  ] as const)('a job that is %s: %s', async (status, isFound) => {
    const id = await putOld(60, { fields: { status } });
    expect(await found()).toEqual(isFound ? [id] : []);
  });

  it('tells all that the sweep wants to know', async () => {
    const rows = [
      { idx: 0, status: 'completed' },
      { idx: 1, status: 'running', worker: 'x' },
    ] as const;
    const id = await putOld(60, { fields: { done: set(0), open: set(1), run: 3, priority: 'low' }, rows });
    const { fields, versions } = await stage.read(id);
    const [job] = await stuck.activeJobs(SWEEP_START, FOR_EVER, 20_000, 10);
    expect(job).toEqual({
      ...{ id, pipelineHash: chain.hash, priority: 'low', run: 3, open: set(1), dispatchedAt: fields.dispatchedAt },
      createdAt: job?.createdAt,
      rows: expect.arrayContaining([
        { idx: 0, status: 'completed' },
        { idx: 1, status: 'running' },
      ]) as unknown,
    });
    expect(Math.floor((job?.createdAt ?? 0) / 1_000)).toBe(versions.created_at.getTime());
    await putOld(60);
    expect((await stuck.activeJobs(SWEEP_START, FOR_EVER, 20_000, 10))[1]?.rows).toEqual([]);
  });

  it('leaves what was handed out within the margin, and what was created after the frontier', async () => {
    const [old, recent] = [await putOld(60), await putOld(10)];
    expect(await found(20_000)).toEqual([old]);
    expect(await found(5_000)).toEqual([old, recent]);
    const now = await stuck.now();
    expect(await found(5_000, now - 30 * SECOND)).toEqual([old]);
    expect(await found(5_000, now - 90 * SECOND)).toEqual([]);
  });

  it('goes by the last time at which a step was handed out, not by the age of the job', async () => {
    const id = await putOld(600);
    await stage.server.query('UPDATE jobs SET dispatched_at = now() WHERE id = $1', [id]);
    expect(await found()).toEqual([]);
  });

  it.each([1, 3, 7, 100])(
    'goes through all jobs page by page, each once, also those created at once (%s a page)',
    async (page) => {
      const all: string[] = [];
      for (let count = 0; count < 24; count += 1) all.push(await putOld(60));
      // Six moments, four jobs each; their microseconds must survive the way through JavaScript.
      await stage.server.query(
        `UPDATE jobs SET created_at = timestamptz '2026-01-01 00:00:00.123456' + (n / 4) * interval '1 microsecond'
       FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1)::int AS n FROM jobs) numbered WHERE numbered.id = jobs.id`,
      );
      const seen: string[] = [];
      let from: SweepPosition = SWEEP_START;
      for (;;) {
        const jobs = await stuck.activeJobs(from, FOR_EVER, 20_000, page);
        seen.push(...jobs.map((job) => job.id));
        const last = jobs.at(-1);
        if (!last || jobs.length < page) break;
        from = { createdAt: last.createdAt, id: last.id };
      }
      expect(seen).toEqual(all);
    },
  );
});

describe('StuckSteps, and what waits for the scheduler', () => {
  const retrying = (agoSeconds: number, over: Partial<StepRow> = {}): Partial<StepRow> & { idx: number } => ({
    ...{ idx: 0, status: 'retrying', awaitsScheduler: true, nextRetryAt: Date.now() * 1_000 - agoSeconds * SECOND },
    ...over,
  });

  it('finds back-offs that are over, the longest first, and only those left to the scheduler', async () => {
    const put = (row: Partial<StepRow> & { idx: number }): Promise<string> => stage.put(chain, { rows: [row] });
    const over = [await put(retrying(10)), await put(retrying(30)), await put(retrying(20))];
    await put(retrying(-60));
    await put(retrying(10, { awaitsScheduler: false }));
    await put(retrying(10, { status: 'queued' }));
    const names = (order: number[]): unknown[] => order.map((index) => ({ jobId: over[index], idx: 0 }));
    expect(await stuck.dueRetries(10)).toEqual(names([1, 2, 0]));
    expect(await stuck.dueRetries(2)).toEqual(names([1, 2]));
  });

  it('says when the next back-off is over', async () => {
    expect(await stuck.nextRetryInMs()).toBeNull();
    await stage.put(chain, { rows: [retrying(5, { awaitsScheduler: false })] });
    expect(await stuck.nextRetryInMs()).toBeNull();
    await stage.put(chain, { rows: [retrying(-60)] });
    const inMs = await stuck.nextRetryInMs();
    expect(inMs).toBeGreaterThan(50_000);
    expect(inMs).toBeLessThanOrEqual(61_000);
  });

  const parkedFor = (waitsFor: string, idx = 0): Partial<StepRow> & { idx: number } => ({
    ...{ idx, status: 'parked', waitsFor },
  });
  const setPool = (name: string, used: number, max: number): Promise<unknown> =>
    stage.server.query(
      'INSERT INTO pools VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET used = excluded.used, max = excluded.max',
      [name, used, max],
    );

  it('finds as many steps parked on a pool as it has room for, those of the oldest jobs first', async () => {
    const rows = [parkedFor('pool', 0), parkedFor('pool', 1), { idx: 2, status: 'queued' as const }];
    const old = await stage.put(chain, { rows: rows.toReversed() });
    const young = await stage.put(chain, { rows });
    const names = [old, young].flatMap((jobId) => [0, 1].map((idx) => ({ jobId, idx })));
    expect(await stuck.parked(10)).toEqual([]);
    await setPool('pool', 2, 2);
    expect(await stuck.parked(10)).toEqual([]);
    await setPool('pool', 9, 3);
    expect(await stuck.parked(10)).toEqual([]);
    await setPool('pool', 1, 2);
    expect(await stuck.parked(10)).toEqual(names.slice(0, 1));
    await setPool('pool', 0, 3);
    expect(await stuck.parked(10)).toEqual(names.slice(0, 3));
    expect(await stuck.parked(2)).toEqual(names.slice(0, 2));
    await setPool('pool', 0, 9);
    expect(await stuck.parked(10)).toEqual(names);
  });

  it('finds the few that wait for a free pool behind the many of a full one, and nothing while both are full', async () => {
    const many = Array.from({ length: 20 }, () =>
      stage.put(chain, { rows: [parkedFor('full', 0), parkedFor('full', 1)] }),
    );
    await Promise.all(many);
    const few = [
      await stage.put(chain, { rows: [parkedFor('free')] }),
      await stage.put(chain, { rows: [parkedFor('free')] }),
    ];
    await setPool('full', 3, 3);
    await setPool('free', 2, 2);
    await setPool('wanted by none', 0, 1_000);
    expect(await stuck.parked(10)).toEqual([]);
    await setPool('free', 0, 2);
    expect(await stuck.parked(10)).toEqual(few.map((jobId) => ({ jobId, idx: 0 })));
  });

  it('takes of all pools with room in turn, when they have more than a look may find', async () => {
    const rows = [parkedFor('wide', 0), parkedFor('wide', 1), parkedFor('wide', 2)];
    const [first, second] = [await stage.put(chain, { rows }), await stage.put(chain, { rows })];
    const other = await stage.put(chain, { rows: [parkedFor('narrow')] });
    await setPool('wide', 0, 1_000);
    await setPool('narrow', 0, 1);
    expect(await stuck.parked(3)).toEqual([
      { jobId: first, idx: 0 },
      { jobId: other, idx: 0 },
      { jobId: first, idx: 1 },
    ]);
    expect(await stuck.parked(5)).toContainEqual({ jobId: second, idx: 0 });
  });

  it('tells the time of the database', async () => {
    const [before] = await stage.server.query<{ us: string }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us',
    );
    const now = await stuck.now();
    const [after] = await stage.server.query<{ us: string }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS us',
    );
    expect(now).toBeGreaterThanOrEqual(Number(before?.us));
    expect(now).toBeLessThanOrEqual(Number(after?.us));
  });
});
