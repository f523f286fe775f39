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

const ENDS_JOB: ReadonlySet<string> = new Set(['job.completed', 'job.failed', 'job.cancelled']);
const ENDS_ATTEMPT: ReadonlySet<string> = new Set(['step.completed', 'step.failed', 'step.cancelled']);

/** The job as it is after the event, as far as the event says; the same object when it says nothing new. */
export function afterEvent(job: JobView, event: EventMessage): JobView {
  if (event.job_id !== job.id || (event.version !== 0 && event.version < job.version)) return job;
  if (event.event === 'step.progress' && !isUnderWay(job, event)) return job;
  const steps = event.step === undefined ? job.steps : job.steps.map((step) => stepAfter(step, event));
  return {
    ...job,
    ...timesAfter(job, event),
    version: Math.max(job.version, event.version),
    status: event.job_status ?? job.status,
    progress: progressAfter(job, event, steps),
    eta: event.eta ?? job.eta,
    result: event.event === 'job.retried' ? null : job.result,
    last_error: newerError(job.last_error, event.last_error),
    retry_count: steps.reduce((sum, step) => sum + step.retry_count, 0),
    current_steps: steps.filter(({ status }) => status === 'running' || status === 'retrying').map(({ name }) => name),
    steps,
  };
}

/** Progress that comes late, of an attempt that is over, would make a step that has ended look as if it were at work. */
function isUnderWay(job: JobView, { step: name, attempt }: EventMessage): boolean {
  const step = job.steps.find((each) => each.name === name);
  if (!step || ['completed', 'failed', 'skipped', 'cancelled'].includes(step.status)) return false;
  if (attempt === undefined) return true;
  return step.status === 'running' ? attempt >= step.attempt : attempt > step.attempt;
}

function timesAfter(
  job: JobView,
  { event, at }: EventMessage,
): Pick<JobView, 'queued_at' | 'started_at' | 'completed_at' | 'duration_ms'> {
  const { queued_at, started_at, completed_at, duration_ms } = job;
  if (ENDS_JOB.has(event)) {
    return { queued_at, started_at, completed_at: at, duration_ms: durationOf(started_at, at) };
  }
  switch (event) {
    case 'job.pending':
      return { queued_at: queued_at ?? at, started_at, completed_at, duration_ms };
    case 'job.started':
      return { queued_at, started_at: at, completed_at: null, duration_ms: null };
    case 'job.retried':
      return { queued_at, started_at: null, completed_at: null, duration_ms: null };
    default:
      return { queued_at, started_at, completed_at, duration_ms };
  }
}

/** Of events only the last one says it. It is counted as the server does: every step has the same share, in tenths. */
function progressAfter(job: JobView, event: EventMessage, steps: readonly StepView[]): number {
  if (event.event === 'job.retried') return 0;
  if (event.step === undefined) return event.progress ?? job.progress;
  const sum = steps.reduce((all, { progress }) => all + Math.min(Math.max(progress, 0), 100), 0);
  return Math.max(job.progress, Math.floor((sum / steps.length) * 10) / 10);
}

/** An event of one step may tell an error that is older than the one of another. */
function newerError(known: JobView['last_error'], told: LiveEvent['last_error']): JobView['last_error'] {
  return told && (!known || told.at >= known.at) ? told : known;
}

function stepAfter(step: StepView, event: EventMessage): StepView {
  if (step.name !== event.step) return step;
  const told = {
    ...step,
    status: event.status ?? step.status,
    // It stays through retries: that of a job never falls within a run.
    progress: Math.max(step.progress, event.progress ?? 0),
    attempt: event.attempt ?? step.attempt,
    retry_count: event.retry_count ?? step.retry_count,
    next_retry_at: event.event === 'step.retrying' ? (event.next_retry_at ?? null) : null,
    last_error: event.last_error ?? step.last_error,
    cpu_percent: event.cpu_percent ?? step.cpu_percent,
    memory_mb: event.memory_mb ?? step.memory_mb,
  };
  if (ENDS_ATTEMPT.has(event.event)) {
    return { ...told, completed_at: event.at, duration_ms: durationOf(step.started_at, event.at) };
  }
  switch (event.event) {
    case 'step.queued':
      return { ...told, ...queuedAgain(step) };
    case 'step.started':
      // Who runs it is not told.
      return { ...told, message: null, started_at: event.at, completed_at: null, duration_ms: null, worker: null };
    case 'step.progress':
      // It says that the attempt runs, though its start was not told.
      return { ...told, status: 'running', message: event.message ?? null };
    case 'step.retrying':
      return { ...told, duration_ms: durationOf(step.started_at, event.at) };
    default:
      return told;
  }
}

/** One that had ended begins a new run; one that ran was handed back by its worker, and that attempt does not count. */
function queuedAgain(step: StepView): Partial<StepView> {
  switch (step.status) {
    case 'completed':
    case 'failed':
    case 'skipped':
    case 'cancelled':
      return {
        ...{ progress: 0, retry_count: 0, message: null, worker: null, output: null },
        ...{ started_at: null, completed_at: null, duration_ms: null, cpu_percent: null, memory_mb: null },
      };
    case 'running':
      return { attempt: Math.max(0, step.attempt - 1), worker: null };
    default:
      return {};
  }
}

const durationOf = (start: string | null, end: string): number | null =>
  start === null ? null : Math.max(0, Date.parse(end) - Date.parse(start));
