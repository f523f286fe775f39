import type { StepDefinition } from '#shared/domain/pipeline';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import { DueJobs } from '#shared/store/jobs/due-jobs';
import { FastSettlement } from '#shared/store/jobs/fast-settlement';
import { type Facts, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { StepReports } from '#shared/store/step-reports';
import { MEASURED, pipelineOf, set, stepNamed } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const deadlocks = async (): Promise<number> => {
  const query = 'SELECT deadlocks::int AS count FROM pg_stat_database WHERE datname = $1';
  return (await stage.server.query<{ count: number }>(query, [stage.server.name]))[0]?.count ?? -1;
};

/** A stream of numbers that is the same in every run: from 0 to below `count`. */
function numbersFrom(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
}

interface Jobs {
  readonly ids: readonly string[];
  readonly pipelines: readonly StoredPipeline[];
}

async function putJobs(): Promise<Jobs> {
  const limits: Partial<StepDefinition>[] = [
    {},
    { concurrency: 50 },
    { resources: { p: 1, q: 1 } },
    { resources: { q: 1 }, concurrency: 40 },
  ];
  const ids: string[] = [];
  const pipelines: StoredPipeline[] = [];
  for (const name of ['p', 'q'])
    await stage.server.query('INSERT INTO pools VALUES ($1, 0, 1000)', [`resource:${name}`]);
  for (let count = 0; count < 24; count += 1) {
    const pipeline = await stage.save(
      pipelineOf([stepNamed('a'), stepNamed('b', limits[count % 4])], `locks-${count % 8}`),
    );
    ids.push(await stage.put(pipeline, { fields: { open: set(0, 1) } }));
    pipelines.push(pipeline);
  }
  return { ids, pipelines };
}

/** Touches every row that it can: the job's, its steps', its pools'. */
function touchAll(draft: JobDraft, { pools }: Facts): void {
  draft.changed = true;
  for (const idx of draft.rows.keys()) draft.changedRows.add(idx);
  for (const pool of pools.values()) pool.used = (pool.used + 1) % pool.max;
}

/** So many of the list, each once, in any order. */
function some<T>(from: readonly T[], count: number, random: (below: number) => number): T[] {
  const left = [...from];
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random(left.length), 1)).flat();
}

it('batches of every kind, over the same jobs in any order, never wait for each other in a circle', async () => {
  const { ids, pipelines } = await putJobs();
  const database = await stage.connect(16);
  const fast = ['A', 'B'].map((worker) => new FastSettlement(database, () => worker));
  const transactions = ['C', 'D', 'E'].map(() => new JobTransactions(database, stage.pipelines));
  const reports = new StepReports(database);
  const due = new DueJobs(database);
  const random = numbersFrom(20_260_102);
  const written = { fast: 0, transactions: 0 };

  const settleSome = (through: FastSettlement): Promise<unknown>[] =>
    some([...ids.keys()], 12, random).map(async (index) => {
      const pipeline = pipelines[index];
      if (!pipeline) throw new RangeError('no such job');
      const step = { kind: 'running' as const, idx: 0, startedAt: MEASURED.startedAt };
      const item = { jobId: ids[index] ?? '', run: 1, head: 0, graph: pipeline.graph, steps: [step], keepable: 0n };
      if ((await through.settle(item)).kind === 'settled') written.fast += 1;
    });
  const changeSome = (through: JobTransactions): Promise<unknown>[] =>
    some(ids, 12, random).map(async (jobId) => {
      if (await through.run({ jobId, apply: touchAll })) written.transactions += 1;
    });
  const reportSome = (): Promise<unknown> =>
    reports.writeProgress(
      some(ids, 12, random).map((jobId) => ({ jobId, idx: 0, epoch: 1, percent: random(100), message: null })),
    );

  for (let round = 0; round < 80; round += 1) {
    await Promise.all([
      ...fast.flatMap(settleSome),
      ...transactions.flatMap(changeSome),
      reportSome(),
      reportSome(),
      due.release(100),
    ]);
  }
  await Promise.all([...fast, ...transactions, due].map((one) => one.close()));
  expect(written).toEqual({ fast: 80 * 2 * 12, transactions: 80 * 3 * 12 });
  expect(await deadlocks()).toBe(0);
});
