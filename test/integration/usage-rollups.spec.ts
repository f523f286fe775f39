import type { TelemetryBatch } from '#shared/contracts/telemetry';
import { THRESHOLDS } from '#shared/domain/usage/sketch';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { RollupCompare } from '#shared/store/usage/rollup-compare';
import { RollupFold } from '#shared/store/usage/rollup-fold';
import { TelemetryWrites } from '#shared/store/usage/telemetry-writes';
import { UsageReader } from '#shared/store/usage/usage-reader';
import { CHAIN, pipelineOf, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { type Random, randomOf } from '../support/random';
import { type CoreStage, openStage } from './core-stage';
import {
  batchOf,
  deleteJobs,
  MINUTE,
  minuteOf,
  randomAttempt,
  recount,
  saidOf,
  storeAttempts,
  type ToldAttempt,
} from './usage-stage';

const LIMIT_MS = 240_000;

let stage: CoreStage;
let pipelines: StoredPipeline[];
let writes: TelemetryWrites[];
let compare: RollupCompare;
let fold: RollupFold;
let reader: UsageReader;

beforeAll(async () => {
  stage = await openStage();
  const other = pipelineOf([stepNamed('a'), stepNamed('z')], 'other');
  // The same pipeline as it was before: its steps are the same to whoever looks at figures.
  const older = pipelineOf([stepNamed('a', { max_retries: 0 }), stepNamed('b')]);
  pipelines = await Promise.all([CHAIN, other, older].map((definition) => stage.save(definition)));
  writes = [new TelemetryWrites(await stage.connect()), new TelemetryWrites(await stage.connect())];
  const database = await stage.connect();
  compare = new RollupCompare(database, 0);
  fold = new RollupFold(database, 0);
  // Every read is a new one.
  reader = new UsageReader(database, { leastMs: 0, share: 1 });
}, LIMIT_MS);
afterAll(() => stage.close());

beforeEach(async () => {
  await stage.server.query(
    'TRUNCATE jobs, attempts, deleted_attempts, rollups, rollup_minutes, telemetry_batches, job_changes, job_counts',
  );
  await stage.server.query(`UPDATE rollup_marks SET at = date_trunc('minute', now()) - interval '5 hours'`);
});

const MINUTES = 6;

/** Jobs of all pipelines with attempts that ended in some minutes of the time before the minute that it is. */
async function attemptsOf(random: Random, count: number, spanMs: number): Promise<ToldAttempt[]> {
  const jobs: { pipeline: StoredPipeline; id: string }[] = [];
  for (let nth = 0; nth < 6; nth++) {
    const pipeline = pipelines[nth % pipelines.length] as StoredPipeline;
    jobs.push({ pipeline, id: await stage.put(pipeline) });
  }
  const thisMinute = minuteOf(Date.now());
  const ends = Array.from({ length: MINUTES }, (_, nth) => thisMinute - minuteOf((nth * spanMs) / MINUTES) - 1);
  return Array.from({ length: count }, () => {
    const { pipeline, id } = random.pick(jobs);
    return randomAttempt(random, pipeline, id, MINUTE - 1, random.pick(ends));
  });
}

function batchesOf(random: Random, attempts: readonly ToldAttempt[]): TelemetryBatch[] {
  const batches: TelemetryBatch[] = [];
  for (let next = 0; next < attempts.length;) {
    const end = next + random.int(1, 20);
    batches.push(batchOf(attempts.slice(next, end)));
    next = end;
  }
  return batches;
}

async function compareAll(): Promise<void> {
  const isStale = async (): Promise<boolean> =>
    (await stage.server.query('SELECT FROM rollup_minutes WHERE stale')).length > 0;
  while ((await compare.runOnce()) === 0 || (await isStale()));
}

async function foldAll(): Promise<void> {
  while ((await fold.runOnce()) === 0);
}

const total = async (): Promise<Record<string, unknown>> => saidOf((await reader.read()).total);
const writer = (random: Random): TelemetryWrites => random.pick(writes);

it(
  'say what the attempts do, when nothing is lost, doubled or late',
  async () => {
    const random = randomOf(1);
    const attempts = await attemptsOf(random, 200, 40 * MINUTE);
    await storeAttempts(stage, attempts);
    const batches = batchesOf(random, attempts);
    while (batches.length > 0) await writer(random).add(batches.splice(0, random.int(1, 8)));
    const fed = await total();
    expect(fed).toEqual(await recount(stage));
    await compareAll();
    expect(await total()).toEqual(fed);
    expect(await stage.server.query(`SELECT FROM rollup_minutes WHERE state = 'counted'`)).toEqual([]);
  },
  LIMIT_MS,
);

it.each([2, 3])(
  'say what the attempts do, after losses, repetitions, late batches, and two services that add at once (%s)',
  async (seed) => {
    const random = randomOf(seed);
    const attempts = await attemptsOf(random, 200, 50 * MINUTE);
    await storeAttempts(stage, attempts);
    const batches = batchesOf(random, attempts);
    const late = batches.filter(() => random.int(0, 9) === 0);
    const sent = batches.filter((batch) => !late.includes(batch) && random.int(0, 9) > 0);
    const again = [...sent, ...sent.filter(() => random.int(0, 3) === 0)].sort(() => random.int(-1, 1));
    const halves = [again.slice(0, again.length / 2), again.slice(again.length / 2)];
    const adding = halves.map(async (half, which) => {
      while (half.length > 0) await writes[which]?.add(half.splice(0, random.int(1, 6)));
    });
    await Promise.all([...adding, compare.runOnce()]);
    await compareAll();
    expect(await total()).toEqual(await recount(stage));
    // What was counted already is not added to.
    await Promise.all([writes[0]?.add(late), writes[1]?.add(late)]);
    expect(await total()).toEqual(await recount(stage));
    await compareAll();
    expect(await total()).toEqual(await recount(stage));
  },
  LIMIT_MS,
);

it(
  'say what attempts did whose jobs were deleted, before and after they are folded',
  async () => {
    const random = randomOf(5);
    const attempts = await attemptsOf(random, 200, 170 * MINUTE);
    await storeAttempts(stage, attempts);
    const batches = batchesOf(random, attempts);
    const sent = batches.filter(() => random.int(0, 4) > 0);
    await writer(random).add(sent);
    const jobs = [...new Set(attempts.map(({ jobId }) => jobId))];
    await deleteJobs(stage, jobs.slice(0, 2));
    await compareAll();
    const truth = await recount(stage);
    expect(await total()).toEqual(truth);
    await deleteJobs(stage, jobs.slice(2, 4));
    await foldAll();
    expect(await total()).toEqual(truth);

    const [left] = await stage.server.query<{ oldest: number; deleted: number; folded: number }>(
      `SELECT (SELECT extract(epoch FROM min(minute))::float8 * 1000 FROM rollups WHERE minute > '-infinity') AS oldest,
            (SELECT extract(epoch FROM min(finished_at))::float8 * 1000 FROM deleted_attempts) AS deleted,
            (SELECT extract(epoch FROM at)::float8 * 1000 FROM rollup_marks WHERE name = 'folded') AS folded`,
    );
    expect(left?.folded).toBeGreaterThanOrEqual(minuteOf(Date.now()) - 72 * MINUTE);
    expect(left?.oldest).toBeGreaterThanOrEqual(left?.folded ?? Infinity);
    expect(left?.deleted).toBeGreaterThanOrEqual(left?.folded ?? Infinity);

    // The metrics service was away for hours; now it comes to what the stream has kept.
    await writer(random).add(batches);
    await compareAll();
    expect(await total()).toEqual(truth);
  },
  LIMIT_MS,
);

it(
  'that were never fed are counted from the attempts before they are folded',
  async () => {
    const random = randomOf(6);
    await storeAttempts(stage, await attemptsOf(random, 150, 170 * MINUTE));
    await compareAll();
    // Committed after the comparison of their minutes, and nobody has said so.
    await storeAttempts(stage, await attemptsOf(random, 150, 170 * MINUTE));
    await foldAll();
    const folded = await stage.server.query<{ attempts: number }>(
      `SELECT sum(n.value::int)::int AS attempts FROM rollups, jsonb_each_text(data -> 'outcomes') n
     WHERE minute = '-infinity' AND kind = 'step'`,
    );
    const [truth] = await stage.server.query<{ attempts: number }>(
      `SELECT count(*)::int AS attempts FROM attempts
     WHERE finished_at < (SELECT at FROM rollup_marks WHERE name = 'folded')`,
    );
    expect(folded).toEqual([truth]);
    expect(truth?.attempts).toBeGreaterThan(50);
  },
  LIMIT_MS,
);

it(
  'are counted by SQL into the buckets that the sender would have taken',
  async () => {
    const [pipeline] = pipelines as [StoredPipeline];
    const jobId = await stage.put(pipeline);
    const next = (value: number): number => value * (1 + Number.EPSILON);
    const values = THRESHOLDS.flatMap((threshold) => [threshold, next(threshold), threshold * (1 - Number.EPSILON)]);
    const finishedAtMs = minuteOf(Date.now()) - 1;
    const attempts = [0, 1e-9, 3e9, ...values].map((value, nth): ToldAttempt => {
      const figures = { durationMs: value, cpuPercent: value, memoryMb: value };
      return {
        pipeline,
        jobId,
        idx: nth % 3,
        epoch: nth + 1,
        finishedAtMs,
        outcome: 'completed',
        retried: null,
        ...figures,
      };
    });
    await storeAttempts(stage, attempts);
    await compareAll();
    const counted = await total();
    await stage.server.query('TRUNCATE rollups, rollup_minutes');
    await writes[0]?.add([batchOf(attempts)]);
    expect(counted).toEqual(await total());
  },
  LIMIT_MS,
);

it(
  'give the window of an hour and all time, and how late jobs were',
  async () => {
    const [pipeline] = pipelines as [StoredPipeline];
    const jobId = await stage.put(pipeline);
    const ended = (agoMs: number, epoch: number): ToldAttempt => ({
      ...{ pipeline, jobId, idx: 0, epoch, finishedAtMs: Date.now() - agoMs, outcome: 'completed', retried: null },
      ...{ durationMs: epoch, cpuPercent: epoch, memoryMb: epoch },
    });
    await writes[0]?.add([batchOf([ended(0, 1), ended(55 * MINUTE, 2), ended(65 * MINUTE, 3)], [0.5, 2])]);
    const { window, total: all, windowSeconds } = await reader.read();
    expect(windowSeconds).toBe(3_600);
    expect(window.steps.map(({ usage }) => [usage.attempts, usage.durationMs.max])).toEqual([[2, 2]]);
    expect(all.steps.map(({ usage }) => [usage.attempts, usage.durationMs.max])).toEqual([[3, 3]]);
    expect([window.latenessSeconds.count, all.latenessSeconds.max]).toEqual([2, 2]);
  },
  LIMIT_MS,
);

it('do not believe a sender whose minutes have not been yet', async () => {
  const [pipeline] = pipelines as [StoredPipeline];
  const attempt = randomAttempt(randomOf(7), pipeline, await stage.put(pipeline), 0, Date.now() + 3_600_000);
  await expect(writes[0]?.add([batchOf([attempt])])).resolves.toEqual({ added: 1, repeated: 0 });
  expect(await total()).toEqual({});
});

it('drop what is said of steps that no pipeline has', async () => {
  const random = randomOf(8);
  const attempts = await attemptsOf(random, 20, MINUTE);
  await storeAttempts(stage, attempts);
  const batch = batchOf(attempts);
  const [any] = batch.steps;
  if (!any) throw new Error('nothing is said');
  const ghosts = [
    { ...any, pipeline: 'ghost' },
    { ...any, step: 'ghost' },
  ];
  await writes[0]?.add([{ ...batch, steps: [...ghosts, ...batch.steps, ...ghosts] }]);
  expect(await total()).toEqual(await recount(stage));
});

it(
  'let go of what was made up of a minute that had been compared',
  async () => {
    const random = randomOf(9);
    const attempts = await attemptsOf(random, 60, 20 * MINUTE);
    await storeAttempts(stage, attempts);
    await writes[0]?.add([batchOf(attempts)]);
    await compareAll();
    expect(await stage.server.query(`SELECT FROM rollup_minutes WHERE state = 'counted'`)).toEqual([]);
    await writes[0]?.add([batchOf(await attemptsOf(random, 30, 20 * MINUTE))]);
    expect(await total()).not.toEqual(await recount(stage));
    await compareAll();
    expect(await total()).toEqual(await recount(stage));
  },
  LIMIT_MS,
);

it(
  'find, five minutes later, what was committed after its minute had been compared and never sent',
  async () => {
    const random = randomOf(10);
    const [pipeline] = pipelines as [StoredPipeline];
    const jobId = await stage.put(pipeline);
    await compareAll();
    // Of the minute that the mark passes by for the second time when it passes the next one.
    const lateMs = minuteOf(Date.now()) - 6 * MINUTE;
    await storeAttempts(stage, [randomAttempt(random, pipeline, jobId, 0, lateMs + 30_000)]);
    await compareAll();
    expect(await total()).toEqual({});
    await stage.server.query(
      `UPDATE rollup_marks SET at = date_trunc('minute', now()) - interval '1 minute' WHERE name = 'compared'`,
    );
    await compareAll();
    await until(async () => expect(await total()).toEqual(await recount(stage)) === undefined);
    expect(await total()).not.toEqual({});
  },
  LIMIT_MS,
);

it('forget batches that the stream has forgotten too', async () => {
  await stage.server.query(
    `INSERT INTO telemetry_batches SELECT n::text, now() - n * interval '1 day' FROM generate_series(1, 12) n`,
  );
  await expect(writes[0]?.forgetOld()).resolves.toBe(false);
  const [left] = await stage.server.query('SELECT count(*)::int AS left FROM telemetry_batches');
  expect(left).toEqual({ left: 7 });
});
