import { z } from 'zod';
import { JOB_STATUSES, STEP_STATUSES } from '#shared/domain/status';
import { lastErrorView } from '#shared/contracts/job';

export const LIVE_EVENTS = [
  'job.scheduled',
  'job.waiting',
  'job.retried',
  'job.pending',
  'job.started',
  'job.completed',
  'job.failed',
  'job.cancelling',
  'job.cancelled',
  'step.queued',
  'step.started',
  'step.progress',
  'step.retrying',
  'step.completed',
  'step.failed',
  'step.skipped',
  'step.cancelled',
] as const;
export type LiveEventName = (typeof LIVE_EVENTS)[number];

export const liveEvent = z.object({
  event: z.enum(LIVE_EVENTS),
  at: z.string(),
  step: z.string().optional(),
  status: z.enum(STEP_STATUSES).optional(),
  job_status: z.enum(JOB_STATUSES).optional(),
  progress: z.number().optional(),
  attempt: z.number().int().optional(),
  retry_count: z.number().int().optional(),
  last_error: lastErrorView.optional(),
  next_retry_at: z.string().optional(),
  next_delay_ms: z.number().optional(),
  message: z.string().optional(),
  duration_ms: z.number().optional().describe('of the attempt that ended'),
  cpu_percent: z.number().optional(),
  memory_mb: z.number().optional(),
  eta: z.string().optional(),
});
/** One thing that happened to a job. */
export type LiveEvent = z.infer<typeof liveEvent>;

/**
 * What is published to `sluice.events.<job_id>`: everything that one change of the job made happen, in order.
 * `version` is the job's after the change. A message with only `step.progress` events changes no version:
 * it carries the version that its sender knew last, or 0.
 */
export const liveEventBatch = z.object({
  job_id: z.string(),
  version: z.number().int(),
  events: z.array(liveEvent),
});
export type LiveEventBatch = z.infer<typeof liveEventBatch>;
