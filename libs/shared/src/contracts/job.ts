import { z } from 'zod';
import { DEPENDENCY_FAILURES } from '#shared/domain/turn/job-hold';
import { JOB_STATUSES, OUTCOMES, PRIORITIES, STEP_STATUSES } from '#shared/domain/status';

const time = z.string().describe('ISO 8601, UTC, milliseconds');
const jsonObject = z.record(z.string(), z.json());

export const lastErrorView = z.object({
  message: z.string(),
  kind: z.enum(['transient', 'permanent', 'timeout', 'crashed', 'cancelled']),
  code: z.string().nullable(),
  at: time,
  attempt: z.number().int(),
});
/** The last thing that went wrong with a step. Kept after a later success. */
export type LastErrorView = z.infer<typeof lastErrorView>;

export const stepView = z.object({
  name: z.string(),
  uses: z.string(),
  needs: z.array(z.string()),
  status: z.enum(STEP_STATUSES),
  progress: z.number(),
  message: z.string().nullable(),
  attempt: z.number().int().describe('attempts begun so far'),
  retry_count: z.number().int(),
  max_retries: z.number().int(),
  next_retry_at: time.nullable(),
  last_error: lastErrorView.nullable(),
  started_at: time.nullable(),
  completed_at: time.nullable(),
  duration_ms: z.number().nullable(),
  cpu_percent: z.number().nullable(),
  memory_mb: z.number().nullable(),
  worker: z.string().nullable(),
  output: z.json().nullable(),
});
export type StepView = z.infer<typeof stepView>;

export const jobView = z.object({
  id: z.string(),
  pipeline: z.string(),
  pipeline_hash: z.string(),
  source: z.string().nullable(),
  source_type: z.enum(['local_path', 'git_url']).nullable(),
  branch: z.string().nullable(),
  commit: z.string().nullable(),
  input: jsonObject,
  status: z.enum(JOB_STATUSES),
  priority: z.enum(PRIORITIES),
  progress: z.number().describe('0…100, never falls within a run'),
  eta: time.nullable(),
  countdown: z.number().nullable(),
  created_at: time,
  queued_at: time.nullable(),
  started_at: time.nullable(),
  completed_at: time.nullable(),
  duration_ms: z.number().nullable(),
  tags: z.array(z.string()),
  description: z.string().nullable(),
  idempotency_key: z.string().nullable(),
  depends_on: z.array(z.string()),
  on_dependency_failure: z.enum(DEPENDENCY_FAILURES).nullable(),
  schedule_id: z.string().nullable().describe('the recurring schedule that made it'),
  current_steps: z.array(z.string()),
  retry_count: z.number().int(),
  last_error: lastErrorView.nullable(),
  result: jsonObject.nullable().describe("the last steps' outputs, by step name"),
  version: z.number().int().describe('rises with every change of the job'),
  steps: z.array(stepView),
});
/** A job as REST, WebSocket and CLI show it. */
export type JobView = z.infer<typeof jobView>;

export const attemptView = z.object({
  step: z.string(),
  number: z.number().int(),
  worker: z.string().nullable(),
  started_at: time,
  finished_at: time.nullable(),
  outcome: z.enum(OUTCOMES).nullable().describe('null while it runs'),
  error: z.object({ message: z.string(), kind: z.string(), code: z.string().nullable() }).nullable(),
  duration_ms: z.number().nullable(),
  cpu_percent: z.number().nullable(),
  memory_mb: z.number().nullable(),
  next_delay_ms: z.number().nullable(),
});
export type AttemptView = z.infer<typeof attemptView>;

export const jobPage = z.object({ items: z.array(jobView), next_cursor: z.string().nullable(), has_more: z.boolean() });
export type JobPage = z.infer<typeof jobPage>;

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
/** RFC 9457. */
export type Problem = z.infer<typeof problem>;
