import type { PoolClient } from 'pg';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import type { Outcome } from '#shared/domain/status';
import { THRESHOLDS } from '#shared/domain/usage/sketch';
import { type ErrorKind, StepUsage } from '#shared/domain/usage/step-usage';
import { MINUTE_MS, type Rollup, timeOf, writeRollups } from '#shared/store/usage/rollup-rows';

/** By the indexes of `finished_at` alone: the tables are not touched where they are all-visible. */
const COUNT_BY_MINUTE = `
SELECT extract(epoch FROM date_trunc('minute', finished_at))::float8 * 1000 AS minute_ms, count(*)::float8 AS attempts
FROM (SELECT finished_at FROM attempts WHERE finished_at >= $1 AND finished_at < $2
      UNION ALL SELECT finished_at FROM deleted_attempts WHERE finished_at >= $1 AND finished_at < $2) ended
GROUP BY 1`;

/** How many attempts ended in each minute of the span, of the minutes that have any. Deleted ones too. */
export async function countAttempts(client: PoolClient, fromMs: number, toMs: number): Promise<Map<number, number>> {
  const { rows } = await client.query<{ minute_ms: number; attempts: number }>(COUNT_BY_MINUTE, [
    timeOf(fromMs),
    timeOf(toMs),
  ]);
  return new Map(rows.map(({ minute_ms, attempts }) => [minute_ms, attempts]));
}

const FIRST_ATTEMPT = `
SELECT extract(epoch FROM least(
  (SELECT min(finished_at) FROM attempts WHERE finished_at >= $1),
  (SELECT min(finished_at) FROM deleted_attempts WHERE finished_at >= $1)))::float8 * 1000 AS first`;

/** When the first attempt ended at that time or later; Infinity when none did. */
export async function firstAttemptFrom(client: PoolClient, fromMs: number): Promise<number> {
  const { rows } = await client.query<{ first: number | null }>(FIRST_ATTEMPT, [timeOf(fromMs)]);
  return rows[0]?.first ?? Infinity;
}

/**
 * The planner may take all jobs for a cheaper way to a minute's than their keys. They are many, and what it knows of the
 * last minute's attempts is old.
 */
const BY_KEYS =
  'SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off';
const AS_USUAL = BY_KEYS.replaceAll('off', 'DEFAULT');

/**
 * A bucket is how many thresholds are less than the value (`bucketOf`). `width_bucket` counts those that are not more:
 * with both negated, those that are not less.
 */
const bucket = (value: string): string => `${THRESHOLDS.length} - width_bucket(-(${value})::float8, $3::float8[])`;
const NEGATED = THRESHOLDS.map((threshold) => -threshold).reverse();

const sums = (value: string, name: string): string =>
  `sum(${value}::float8) AS ${name}_sum, min(${value})::float8 AS ${name}_min, max(${value})::float8 AS ${name}_max`;

/** A row for each step's outcome, kind of retry, and bucket of each figure: `what` says which of them it is. */
const COUNT_STEPS = `
WITH ended AS MATERIALIZED (
  SELECT j.pipeline_hash, a.idx, a.outcome, CASE WHEN a.next_delay_ms IS NOT NULL THEN a.error ->> 'kind' END AS retried,
         a.duration_ms, a.cpu_percent, a.memory_mb
  FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE a.finished_at >= $1 AND a.finished_at < $2
  UNION ALL
  SELECT pipeline_hash, idx, outcome, CASE WHEN retried THEN error_kind END, duration_ms, cpu_percent, memory_mb
  FROM deleted_attempts WHERE finished_at >= $1 AND finished_at < $2
), placed AS (
  SELECT *, ${bucket('duration_ms')} AS d, ${bucket('cpu_percent')} AS c, ${bucket('memory_mb')} AS m FROM ended
)
SELECT pipeline_hash, idx, outcome, retried, d, c, m, count(*)::float8 AS count,
       CASE grouping(outcome, retried, d, c, m) WHEN 15 THEN 'outcome' WHEN 23 THEN 'retried' WHEN 27 THEN 'duration'
         WHEN 29 THEN 'cpu' ELSE 'memory' END AS what,
       ${sums('duration_ms', 'duration')}, ${sums('cpu_percent', 'cpu')}, ${sums('memory_mb', 'memory')}
FROM placed
GROUP BY GROUPING SETS ((pipeline_hash, idx, outcome), (pipeline_hash, idx, retried), (pipeline_hash, idx, d),
                        (pipeline_hash, idx, c), (pipeline_hash, idx, m))`;

type Figure = 'duration' | 'cpu' | 'memory';
interface CountRow extends Record<`${Figure}_${'sum' | 'min' | 'max'}`, number | null> {
  readonly what: 'outcome' | 'retried' | Figure;
  readonly pipeline_hash: string;
  readonly idx: number;
  readonly outcome: Outcome | null;
  readonly retried: ErrorKind | null;
  readonly d: number | null;
  readonly c: number | null;
  readonly m: number | null;
  readonly count: number;
}

/** What the attempts that ended in a minute come to, counted from their rows: what their senders should have sent. */
export async function countSteps(client: PoolClient, minuteMs: number): Promise<(Rollup & { kind: 'step' })[]> {
  await client.query(BY_KEYS);
  const span = [timeOf(minuteMs), timeOf(minuteMs + MINUTE_MS)];
  const { rows } = await client.query<CountRow>(COUNT_STEPS, [...span, NEGATED]);
  await client.query(AS_USUAL);
  const names = await readNames(client, new Set(rows.map((row) => row.pipeline_hash)));
  const usages = new Map<string, StepUsage>();
  for (const row of rows) {
    const key = JSON.stringify(names(row.pipeline_hash, row.idx));
    const usage = usages.get(key) ?? new StepUsage();
    usages.set(key, usage);
    note(usage, row);
  }
  return [...usages].map(([key, figure]) => {
    const [pipeline, name] = JSON.parse(key) as [string, string];
    return { kind: 'step', minuteMs, pipeline, name, figure };
  });
}

function note(usage: StepUsage, row: CountRow): void {
  const { what, count, outcome, retried } = row;
  if (what === 'outcome' && outcome !== null) usage.outcomes.set(outcome, (usage.outcomes.get(outcome) ?? 0) + count);
  else if (what === 'retried' && retried !== null)
    usage.retries.set(retried, (usage.retries.get(retried) ?? 0) + count);
  else if (what === 'duration' && row.d !== null) usage.durationMs.addBuckets(spread(row, what), [[row.d, count]]);
  else if (what === 'cpu' && row.c !== null) usage.cpuPercent.addBuckets(spread(row, what), [[row.c, count]]);
  else if (what === 'memory' && row.m !== null) usage.memoryMb.addBuckets(spread(row, what), [[row.m, count]]);
}

const spread = (
  row: CountRow,
  what: Figure,
): { count: number; sum: number; min: number | null; max: number | null } => ({
  count: row.count,
  sum: row[`${what}_sum`] ?? 0,
  min: row[`${what}_min`],
  max: row[`${what}_max`],
});

const READ_PIPELINES = 'SELECT hash, name, definition FROM pipelines WHERE hash = ANY ($1::text[])';

/** What a step is called whose pipeline is not there any more, or never had it. */
const NAMELESS = 'unknown';

/** @returns what says the names of a pipeline and its step, by its hash and the step's index */
async function readNames(
  client: PoolClient,
  hashes: ReadonlySet<string>,
): Promise<(hash: string, idx: number) => [pipeline: string, step: string]> {
  const { rows } = await client.query<{ hash: string; name: string; definition: PipelineDefinition }>(READ_PIPELINES, [
    [...hashes],
  ]);
  const pipelines = new Map(rows.map(({ hash, ...pipeline }) => [hash, pipeline]));
  return (hash, idx) => {
    const pipeline = pipelines.get(hash);
    return [pipeline?.name ?? NAMELESS, pipeline?.definition.steps[idx]?.name ?? NAMELESS];
  };
}

const REMOVE_STEPS = `DELETE FROM rollups WHERE minute = $1 AND kind = 'step'`;

const NOTE_COUNTED = `
INSERT INTO rollup_minutes (minute, state, attempts) VALUES ($1, 'counted', $2)
ON CONFLICT (minute) DO UPDATE SET state = 'counted', stale = false, attempts = excluded.attempts`;

/** Has the roll-ups of a minute say what its attempts do. Under the lock of roll-ups. */
export async function countAnew(client: PoolClient, minuteMs: number): Promise<void> {
  const counted = await countSteps(client, minuteMs);
  const attempts = counted.reduce((sum, { figure }) => sum + figure.attempts, 0);
  await client.query(REMOVE_STEPS, [timeOf(minuteMs)]);
  await writeRollups(client, counted);
  await client.query(NOTE_COUNTED, [timeOf(minuteMs), attempts]);
}
