import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import type { JobStatus } from '#shared/domain/status';
import { stepsIn, type StepSet } from '#shared/domain/step-set';
import type { RetryDecision } from '#shared/domain/turn/end-attempt';
import { isoOf, type JobDraft } from '#shared/domain/turn/job-draft';
import type { FastSettled, FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { DatabaseClock } from '../lease/database-clock';

type Settled = FastSettled & { kind: 'settled' };

/** Tells the world what a commit has changed: one message for each change of a job. */
export class TurnReporter {
  constructor(
    private readonly bus: NatsBus,
    private readonly clock: DatabaseClock,
  ) {}

  /** A fast turn has recorded steps. `shown` are those whose start was told already. */
  fastSettled(
    jobId: string,
    pipeline: StoredPipeline,
    settled: Settled,
    steps: readonly FastStep[],
    shown: StepSet,
  ): void {
    const at = this.clock.iso();
    const { status } = settled;
    const events: LiveEvent[] = [];
    if (settled.statusBefore === 'pending') events.push({ event: 'job.started', at, job_status: 'running' });
    for (const step of steps) {
      const name = nameOf(pipeline, step.idx);
      if (((shown >> BigInt(step.idx)) & 1n) === 0n) {
        events.push({ event: 'step.started', at: isoOf(step.startedAt), step: name, status: 'running', attempt: 1 });
      }
      if (step.kind === 'completed') events.push(this.completed(name, step, at));
    }
    this.opened(events, pipeline, settled.opened, settled.kept, at);
    this.ended(events, status, at);
    this.publish(jobId, settled.version, events);
  }

  /** A transaction has changed a job; `events` say how. The job's own status is added. */
  changed(
    draft: JobDraft,
    pipeline: StoredPipeline,
    statusBefore: JobStatus,
    events: LiveEvent[],
    kept: number | null,
  ): void {
    const at = this.clock.iso();
    const { job } = draft;
    const all = [...events];
    if (statusBefore === 'pending' && job.status !== 'pending') {
      all.unshift({ event: 'job.started', at, job_status: 'running' });
    }
    this.opened(all, pipeline, draft.opened, kept, at);
    if (statusBefore !== job.status) this.ended(all, job.status, at);
    this.publish(job.id, job.version + 1, all);
  }

  started(draft: JobDraft, idx: number, attempt: number): LiveEvent {
    const row = draft.rows.get(idx);
    const step = draft.step(idx).name;
    const begun: LiveEvent = { event: 'step.started', at: this.clock.iso(), step, status: 'running', attempt };
    // Nobody could tell of a crash when it happened.
    const crash =
      row?.lastError?.kind === 'crashed' && row.lastError.attempt === attempt - 1 ? row.lastError : undefined;
    return { ...begun, retry_count: row?.retryCount ?? 0, ...(crash && { last_error: crash }) };
  }

  settled(draft: JobDraft, idx: number, retry: RetryDecision | null): LiveEvent[] {
    const row = draft.rows.get(idx);
    if (!row) return [];
    const step = draft.step(idx).name;
    const at = this.clock.iso();
    const common = { at, step, attempt: row.attempts, retry_count: row.retryCount };
    const { durationMs, cpuPercent, memoryMb } = row;
    const figures = {
      duration_ms: durationMs ?? undefined,
      cpu_percent: cpuPercent ?? undefined,
      memory_mb: memoryMb ?? undefined,
    };
    const last_error = row.lastError ?? undefined;
    if (row.status === 'completed') {
      return [{ event: 'step.completed', status: 'completed', progress: 100, ...common, ...figures }];
    }
    if (retry?.kind === 'retry' && row.nextRetryAt !== null) {
      const next = { next_retry_at: isoOf(row.nextRetryAt), next_delay_ms: retry.delayMs };
      return [{ event: 'step.retrying', status: 'retrying', ...common, ...figures, last_error, ...next }];
    }
    if (row.status === 'cancelled') {
      const others = stepsIn(draft.buried).map((other): LiveEvent => {
        return { event: 'step.cancelled', at, step: draft.step(other).name, status: 'cancelled' };
      });
      return [{ event: 'step.cancelled', status: 'cancelled', ...common, ...figures, last_error }, ...others];
    }
    const skipped = stepsIn(draft.buried).map((other): LiveEvent => {
      return { event: 'step.skipped', at, step: draft.step(other).name, status: 'skipped' };
    });
    return [{ event: 'step.failed', status: 'failed', ...common, ...figures, last_error }, ...skipped];
  }

  progress(jobId: string, step: string, attempt: number, percent: number, message: string | null): void {
    const event: LiveEvent = { event: 'step.progress', at: this.clock.iso(), step, attempt, progress: percent };
    this.publish(jobId, 0, [message === null ? event : { ...event, message }]);
  }

  private completed(step: string, ended: FastStep & { kind: 'completed' }, at: string): LiveEvent {
    const { durationMs, cpuPercent, memoryMb } = ended;
    const figures = { duration_ms: durationMs, cpu_percent: cpuPercent, memory_mb: memoryMb };
    return {
      event: 'step.completed',
      at,
      step,
      status: 'completed',
      attempt: 1,
      retry_count: 0,
      progress: 100,
      ...figures,
    };
  }

  private opened(
    events: LiveEvent[],
    pipeline: StoredPipeline,
    opened: StepSet,
    kept: number | null,
    at: string,
  ): void {
    for (const idx of stepsIn(opened)) {
      events.push({ event: 'step.queued', at, step: nameOf(pipeline, idx), status: 'queued' });
    }
    if (kept === null) return;
    events.push({ event: 'step.started', at, step: nameOf(pipeline, kept), status: 'running', attempt: 1 });
  }

  private ended(events: LiveEvent[], status: JobStatus, at: string): void {
    if (status !== 'completed' && status !== 'failed' && status !== 'cancelled') return;
    const event: LiveEvent = { event: `job.${status}`, at, job_status: status };
    events.push(status === 'completed' ? { ...event, progress: 100 } : event);
  }

  /** Also without events: whoever watches then knows that it has missed nothing of this version. */
  private publish(jobId: string, version: number, events: LiveEvent[]): void {
    const batch: LiveEventBatch = { job_id: jobId, version, events };
    publishEvents(this.bus, jobId, JSON.stringify(batch));
  }
}

const nameOf = (pipeline: StoredPipeline, idx: number): string => pipeline.definition.steps[idx]?.name ?? String(idx);
