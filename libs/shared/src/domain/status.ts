/** Where a job is. The contract's words. */
export const JOB_STATUSES = [
  'scheduled',
  'waiting',
  'pending',
  'running',
  'cancelling',
  'completed',
  'failed',
  'cancelled',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Where a step that has begun is. `parked` waits for a token; to the outside it is `queued`. */
export const STEP_ROW_STATUSES = [
  'queued',
  'parked',
  'running',
  'retrying',
  'completed',
  'failed',
  'cancelled',
] as const;
export type StepRowStatus = (typeof STEP_ROW_STATUSES)[number];

/** Where a step is, to the outside: with those that have no row. */
export const STEP_STATUSES = [
  'pending',
  'queued',
  'running',
  'retrying',
  'completed',
  'failed',
  'skipped',
  'cancelled',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

export const OUTCOMES = ['completed', 'failed', 'timeout', 'crashed', 'cancelled'] as const;
/** How an attempt ended. */
export type Outcome = (typeof OUTCOMES)[number];

export const PRIORITIES = ['high', 'default', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const isEnded = (status: JobStatus): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';
