import type { AttemptView, JobView, StepView } from '#shared/contracts/job';

/** When the examples begin. */
export const START_MS = Date.parse('2026-11-23T12:00:00.000Z');
/** So many seconds after the start. */
export const after = (seconds: number): string => new Date(START_MS + seconds * 1_000).toISOString();

/** A step for specs; pending when nothing else is said. */
export function exampleStep(name: string, more: Partial<StepView> = {}): StepView {
  return {
    ...{ name, uses: 'noop', needs: [], status: 'pending', progress: 0, message: null, attempt: 0, retry_count: 0 },
    ...{ max_retries: 3, next_retry_at: null, last_error: null, started_at: null, completed_at: null },
    ...{ duration_ms: null, cpu_percent: null, memory_mb: null, worker: null, output: null },
    ...more,
  };
}

/** A job for specs that runs these steps. */
export function exampleJob(steps: StepView[], more: Partial<JobView> = {}): JobView {
  return {
    ...{ id: 'j', pipeline: 'p', pipeline_hash: 'h', source: null, source_type: null, branch: null, commit: null },
    ...{ input: {}, status: 'running', priority: 'default', progress: 0, eta: null, countdown: null },
    ...{ created_at: after(0), queued_at: after(0), started_at: after(1), completed_at: null, duration_ms: null },
    ...{ tags: [], description: null, idempotency_key: null, depends_on: [], on_dependency_failure: null },
    ...{ schedule_id: null, current_steps: [], retry_count: 0, last_error: null, result: null, version: 5 },
    steps,
    ...more,
  };
}

/** An attempt for specs. @param to null: it runs */
export function exampleAttempt(
  step: string,
  number: number,
  from: number,
  to: number | null,
  more: Partial<AttemptView> = {},
): AttemptView {
  return {
    ...{ step, number, worker: 'w', started_at: after(from), finished_at: to === null ? null : after(to) },
    ...{ outcome: to === null ? null : 'completed', error: null, cpu_percent: null, memory_mb: null },
    ...{ duration_ms: to === null ? null : (to - from) * 1_000, next_delay_ms: null },
    ...more,
  };
}
