import type { StepRow } from '#shared/domain/turn/job-draft';
import {
  PARKED_START,
  type ParkedStep,
  StuckSteps,
  SWEEP_START,
  type SweepPosition,
} from '#shared/store/jobs/stuck-steps';
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

  it('finds as many parked steps as there are free tokens, those handed out longest ago first', async () => {
    const parked = { idx: 0, status: 'parked' } as const;
    const [young, old] = [await putOld(10, { rows: [parked] }), await putOld(60, { rows: [parked] })];
    await putOld(90, { rows: [{ idx: 0, status: 'queued' }] });
    const parkedNow = (limit = 10): Promise<ParkedStep[]> => stuck.parked(PARKED_START, limit);
    expect(await parkedNow()).toEqual([]);
    await stage.server.query(`INSERT INTO pools VALUES ('full', 2, 2)`);
    expect(await parkedNow()).toEqual([]);
    await stage.server.query(`INSERT INTO pools VALUES ('free', 1, 2)`);
    expect(await parkedNow()).toMatchObject([{ jobId: old, idx: 0 }]);
    await stage.server.query(`INSERT INTO pools VALUES ('also free', 0, 5), ('lowered', 9, 3)`);
    expect(await parkedNow()).toMatchObject([
      { jobId: old, idx: 0 },
      { jobId: young, idx: 0 },
    ]);
    expect(await parkedNow(1)).toMatchObject([{ jobId: old, idx: 0 }]);
  });

  it('goes round the parked steps, each once, also those of one job', async () => {
    const rows = [0, 1, 2].map((idx) => ({ idx, status: 'parked' as const }));
    const ids = [await putOld(60, { rows }), await putOld(90, { rows }), await putOld(30, { rows })];
    await stage.server.query(`INSERT INTO pools VALUES ('free', 0, 2)`);
    const seen: string[] = [];
    for (let from = PARKED_START; ;) {
      const steps = await stuck.parked(from, 10);
      const last = steps.at(-1);
      if (!last) break;
      expect(steps.length).toBeLessThanOrEqual(2);
      seen.push(...steps.map(({ jobId, idx }) => `${ids.indexOf(jobId)}:${idx}`));
      from = last;
    }
    expect(seen).toEqual(['1:0', '1:1', '1:2', '0:0', '0:1', '0:2', '2:0', '2:1', '2:2']);
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
