import { z } from 'zod';

const figure = z.number().nullable();
const count = z.number().int();

const spread = z.object({ avg: figure, min: figure, max: figure });
const spreadWithQuantiles = spread.extend({ p50: figure, p95: figure, p99: figure });

const pool = z.object({
  available: count,
  max: count,
  held_by: z
    .array(z.object({ job_id: z.string(), step: z.string(), tokens: count }))
    .describe('who holds tokens; the first 100'),
});

const stepFigures = z.object({
  attempts: count.describe('that ended in the window'),
  failures: count.describe('of them, those that did not complete'),
  retries: count,
  duration_seconds: spreadWithQuantiles,
  cpu_percent: spread,
  memory_mb: spread,
});

const metrics = z.object({
  window_seconds: count,
  job_count: count.describe('jobs that ended in the window'),
  duration_seconds: spreadWithQuantiles.describe('of those jobs, from their start to their end'),
  cpu_percent: spread.describe('of the attempts that ended in the window'),
  memory_mb: spread,
  steps: z.record(z.string(), stepFigures).describe('by name; of the same name in several pipelines, together'),
  pipelines: z
    .record(
      z.string(),
      z.object({
        job_count: count,
        failed: count,
        duration_seconds: spreadWithQuantiles,
        wait_seconds: spreadWithQuantiles.describe('from when a job could begin to its first step'),
        steps: z.record(z.string(), stepFigures),
      }),
    )
    .describe('the same by pipeline'),
});

const queue = z.object({
  ready: count.nullable().describe('steps that could begin; null: nobody can tell just now'),
  running: count,
  retrying: count,
  oldest_ready_seconds: figure.describe('how long the oldest of them waits; null: none does'),
});

const worker = z.object({
  id: z.string(),
  name: z.string(),
  version: z.string(),
  status: z.enum(['alive', 'gone']),
  last_seen: z.string(),
  running: count,
  capacity: count,
  cpu_percent: figure,
  memory_mb: figure,
});

/** The answer of `GET /v1/ingest/resource_status`. */
export const resourceStatus = z.object({
  tokens: z.object({ available_tokens: count, max_tokens: count, pools: z.record(z.string(), pool) }),
  limits: z.record(z.string(), pool).describe("steps' own `concurrency`, by pipeline/step"),
  metrics,
  jobs: z.record(z.string(), count).describe('how many there are now, by status'),
  queues: z.record(z.string(), queue),
  workers: z.array(worker),
  stale: z.boolean().describe('the metrics service did not answer: figures may be old or missing'),
});
export type ResourceStatus = z.infer<typeof resourceStatus>;
