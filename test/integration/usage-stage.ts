import type { TelemetryBatch } from '#shared/contracts/telemetry';
import { OUTCOMES, type Outcome } from '#shared/domain/status';
import type { UsageFigures } from '#shared/domain/usage/usage-figures';
import { bucketOf, THRESHOLDS } from '#shared/domain/usage/sketch';
import { type EndedAttempt, StepUsage } from '#shared/domain/usage/step-usage';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { Random } from '../support/random';
import type { CoreStage } from './core-stage';

export const MINUTE = 60_000;
export const minuteOf = (ms: number): number => Math.floor(ms / MINUTE) * MINUTE;

/** An attempt as its worker would have told of it. */
export interface ToldAttempt extends EndedAttempt {
  readonly pipeline: StoredPipeline;
  readonly jobId: string;
  readonly idx: number;
  readonly epoch: number;
  readonly finishedAtMs: number;
}

/** Whole thresholds too: which side of them a value counts on has to be the same everywhere. */
function figure(random: Random): number {
  const kind = random.int(0, 3);
  if (kind === 0) return THRESHOLDS[random.int(0, 300)] ?? 1;
  if (kind === 1) return random.int(0, 1_000);
  return random.int(0, 1_000_000) / 997;
}

export function randomAttempt(
  random: Random,
  pipeline: StoredPipeline,
  jobId: string,
  spanMs: number,
  nowMs: number,
): ToldAttempt {
  const outcome = OUTCOMES[random.int(0, OUTCOMES.length - 1)] as Outcome;
  const crashed = outcome === 'crashed';
  return {
    pipeline,
    jobId,
    idx: random.int(0, pipeline.definition.steps.length - 1),
    epoch: (epochs += 1),
    finishedAtMs: Math.floor(nowMs - random.int(0, spanMs)),
    outcome,
    retried: outcome === 'failed' && random.int(0, 1) === 0 ? 'transient' : null,
    durationMs: crashed ? null : figure(random),
    cpuPercent: crashed ? null : figure(random),
    memoryMb: crashed ? null : figure(random),
  };
}

let epochs = 0;

const KIND_OF: Readonly<Record<Outcome, string | null>> = {
  completed: null,
  failed: 'transient',
  timeout: 'timeout',
  crashed: 'crashed',
  cancelled: 'cancelled',
};

export async function storeAttempts(stage: CoreStage, attempts: readonly ToldAttempt[]): Promise<void> {
  await stage.server.query(
    `INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, duration_ms, cpu_percent,
                           memory_mb, error, next_delay_ms)
     SELECT job, idx, epoch, 1, 'me', outcome, finished, finished, duration, cpu, memory,
            CASE WHEN kind IS NOT NULL THEN jsonb_build_object('kind', kind) END, CASE WHEN retried THEN 1000 END
     FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::text[], $5::timestamptz[], $6::float8[], $7::real[], $8::real[],
                 $9::text[], $10::boolean[]) AS u (job, idx, epoch, outcome, finished, duration, cpu, memory, kind, retried)`,
    [
      attempts.map(({ jobId }) => jobId),
      attempts.map(({ idx }) => idx),
      attempts.map(({ epoch }) => epoch),
      attempts.map(({ outcome }) => outcome),
      attempts.map(({ finishedAtMs }) => new Date(finishedAtMs).toISOString()),
      attempts.map(({ durationMs }) => durationMs),
      attempts.map(({ cpuPercent }) => cpuPercent),
      attempts.map(({ memoryMb }) => memoryMb),
      attempts.map(({ outcome }) => KIND_OF[outcome]),
      attempts.map(({ retried }) => retried !== null),
    ],
  );
}

/** Deletes jobs as whoever deletes them must: what figures need of their attempts stays until it was folded. */
export async function deleteJobs(stage: CoreStage, ids: readonly string[]): Promise<void> {
  await stage.server.query(
    `WITH gone AS (DELETE FROM jobs WHERE id = ANY ($1::uuid[]) RETURNING id, pipeline_hash),
          ended AS (DELETE FROM attempts USING gone WHERE job_id = gone.id RETURNING attempts.*, gone.pipeline_hash)
     INSERT INTO deleted_attempts
     SELECT finished_at, pipeline_hash, idx, outcome, error ->> 'kind', next_delay_ms IS NOT NULL, duration_ms, cpu_percent,
            memory_mb
     FROM ended WHERE finished_at >= (SELECT at FROM rollup_marks WHERE name = 'folded')`,
    [ids],
  );
}

let batches = 0;

/** One batch that tells of all of them. */
export function batchOf(attempts: readonly ToldAttempt[], latenessSeconds: readonly number[] = []): TelemetryBatch {
  const usages = new Map<string, { minute: string; pipeline: string; step: string; usage: StepUsage }>();
  for (const attempt of attempts) {
    const minute = new Date(minuteOf(attempt.finishedAtMs)).toISOString();
    const { name: pipeline, steps } = attempt.pipeline.definition;
    const step = steps[attempt.idx]?.name ?? '';
    const key = `${minute} ${pipeline} ${step}`;
    const known = usages.get(key) ?? { minute, pipeline, step, usage: new StepUsage() };
    usages.set(key, known);
    known.usage.observe(attempt);
  }
  const batch = {
    id: `batch ${(batches += 1)}`,
    sender: 'spec',
    steps: [...usages.values()],
    ...(latenessSeconds.length > 0 ? { lateness_seconds: spreadOf(latenessSeconds) } : {}),
  };
  return JSON.parse(JSON.stringify(batch)) as TelemetryBatch;
}

const spreadOf = (values: readonly number[]): object => ({
  count: values.length,
  sum: values.reduce((sum, value) => sum + value, 0),
  min: Math.min(...values),
  max: Math.max(...values),
  buckets: values.reduce<Record<string, number>>((counts, value) => {
    counts[bucketOf(value)] = (counts[bucketOf(value)] ?? 0) + 1;
    return counts;
  }, {}),
});

/** What figures say of steps, in a form that can be compared: sums to the tenth digit. */
export const saidOf = ({ steps }: Pick<UsageFigures, 'steps'>): Record<string, unknown> => {
  const entries = steps.map(({ pipeline, step, usage }): [string, unknown] => [`${pipeline}/${step}`, plain(usage)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
};

const plain = (usage: StepUsage): unknown =>
  JSON.parse(JSON.stringify(usage), (key, value: unknown) =>
    key === 'sum' ? Number(Number(value).toPrecision(10)) : value,
  );

/** What the attempts say, told one by one from their rows: slow, and by no statement of the product. */
export async function recount(stage: CoreStage): Promise<Record<string, unknown>> {
  interface Row extends EndedAttempt {
    readonly pipeline: string;
    readonly step: string;
  }
  const rows = await stage.server.query<Row>(
    `SELECT p.name AS pipeline, p.definition -> 'steps' -> a.idx::int ->> 'name' AS step, a.outcome,
            CASE WHEN a.retried THEN a.kind END AS retried, a.duration_ms AS "durationMs",
            a.cpu_percent::float8 AS "cpuPercent", a.memory_mb::float8 AS "memoryMb"
     FROM (SELECT j.pipeline_hash, t.idx, t.outcome, t.error ->> 'kind' AS kind, t.next_delay_ms IS NOT NULL AS retried,
                  t.duration_ms, t.cpu_percent, t.memory_mb
           FROM attempts t JOIN jobs j ON j.id = t.job_id
           UNION ALL SELECT pipeline_hash, idx, outcome, error_kind, retried, duration_ms, cpu_percent, memory_mb
           FROM deleted_attempts) a
     JOIN pipelines p ON p.hash = a.pipeline_hash`,
  );
  const usages = new Map<string, { pipeline: string; step: string; usage: StepUsage }>();
  for (const row of rows) {
    const key = `${row.pipeline}/${row.step}`;
    const known = usages.get(key) ?? { pipeline: row.pipeline, step: row.step, usage: new StepUsage() };
    usages.set(key, known);
    known.usage.observe(row);
  }
  return saidOf({ steps: [...usages.values()] });
}
