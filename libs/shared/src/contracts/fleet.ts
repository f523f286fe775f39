import { z } from 'zod';

export const workerView = z.object({
  id: z.string().describe('of this incarnation; a worker that lost its lease comes back under a new one'),
  name: z.string().describe('of its process: host and process id'),
  version: z.string(),
  queues: z.array(z.string()),
  status: z.enum(['alive', 'gone']),
  last_seen: z.string().describe('ISO 8601, UTC, milliseconds'),
  running: z.number().int().describe('steps that it runs'),
  capacity: z.number().int().describe('its slots'),
  cpu_percent: z.number().nullable(),
  memory_mb: z.number().nullable(),
});
/** A worker as REST and CLI show it. */
export type WorkerView = z.infer<typeof workerView>;

/** The answer of `GET /v1/workers`. */
export const workerList = z.object({ items: z.array(workerView) });
export type WorkerList = z.infer<typeof workerList>;

const pipelineStepView = z.object({
  name: z.string(),
  uses: z.string(),
  needs: z.array(z.string()),
  queue: z.string(),
  max_retries: z.number().int(),
  back_off: z.object({
    strategy: z.enum(['fixed', 'linear', 'exponential']),
    initial_ms: z.number(),
    factor: z.number(),
    max_ms: z.number(),
    jitter: z.number(),
  }),
  timeout_ms: z.number().nullable(),
  concurrency: z.number().int().nullable(),
  resources: z.record(z.string(), z.number()),
  isolation: z.enum(['inline', 'process']),
  options: z.record(z.string(), z.json()),
});

/** A pipeline as `GET /v1/pipelines/{name}` gives it: a `PipelineDefinition`, every default filled in. */
export const pipelineView = z.object({
  name: z.string(),
  description: z.string(),
  source: z.enum(['required', 'optional']),
  steps: z.array(pipelineStepView),
});
export type PipelineView = z.infer<typeof pipelineView>;

/** The answer of `GET /v1/pipelines`. */
export const pipelineList = z.object({ items: z.array(pipelineView) });
export type PipelineList = z.infer<typeof pipelineList>;

export const serviceView = z.object({
  name: z.string(),
  pid: z.number().int().nullable().describe('null while it is being started again'),
  port: z.number().int(),
  url: z.string(),
  restarts: z.number().int().describe('how often it was started again'),
});
/** A service of a stack that `npm start` runs. */
export type ServiceView = z.infer<typeof serviceView>;
