import type { JobView, StepView } from '#shared/contracts/job';
import type { LiveEvent } from '#shared/contracts/live-event';

/** One event of a job, as a socket brings it. */
export interface EventMessage extends LiveEvent {
  readonly type: 'event';
  readonly job_id: string;
  readonly version: number;
}

export type SocketMessage =
  | { readonly type: 'snapshot'; readonly job: JobView }
  | EventMessage
  | { readonly type: 'heartbeat' }
  | { readonly type: 'error'; readonly message: string; readonly job_id?: string };

/** The job as it is after the event, as far as the event says; the same object when it says nothing new. */
export function afterEvent(job: JobView, event: EventMessage): JobView {
  if (event.job_id !== job.id || (event.version !== 0 && event.version < job.version)) return job;
  const steps = event.step === undefined ? job.steps : job.steps.map((step) => stepAfter(step, event));
  const isOver = ['job.completed', 'job.failed', 'job.cancelled'].includes(event.event);
  return {
    ...job,
    version: Math.max(job.version, event.version),
    status: event.job_status ?? job.status,
    progress: event.step === undefined ? (event.progress ?? job.progress) : job.progress,
    started_at: event.event === 'job.started' ? event.at : job.started_at,
    completed_at: isOver ? event.at : job.completed_at,
    eta: event.eta ?? job.eta,
    last_error: event.last_error ?? job.last_error,
    retry_count: steps.reduce((sum, step) => sum + step.retry_count, 0),
    current_steps: steps.filter(({ status }) => status === 'running' || status === 'retrying').map(({ name }) => name),
    steps,
  };
}

function stepAfter(step: StepView, event: EventMessage): StepView {
  if (step.name !== event.step) return step;
  const begins = event.event === 'step.started';
  const ends = ['step.completed', 'step.failed', 'step.cancelled'].includes(event.event);
  return {
    ...step,
    status: event.status ?? step.status,
    progress: event.progress ?? (begins ? 0 : step.progress),
    message: event.message ?? (begins ? null : step.message),
    attempt: event.attempt ?? step.attempt,
    retry_count: event.retry_count ?? step.retry_count,
    next_retry_at: event.event === 'step.retrying' ? (event.next_retry_at ?? null) : null,
    last_error: event.last_error ?? step.last_error,
    started_at: begins ? event.at : step.started_at,
    completed_at: ends ? event.at : begins ? null : step.completed_at,
    cpu_percent: event.cpu_percent ?? step.cpu_percent,
    memory_mb: event.memory_mb ?? step.memory_mb,
  };
}
