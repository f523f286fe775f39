import type { JobView, LastErrorView, StepView } from '#shared/contracts/job';
import type { Json, JsonObject } from '#shared/domain/json';
import type { PipelineDefinition, PipelineGraph, StepDefinition } from '#shared/domain/pipeline';
import type { DependencyFailure } from '#shared/domain/turn/job-hold';
import { isEnded, type JobStatus, type Priority, type StepRowStatus, type StepStatus } from '#shared/domain/status';
import { hasStep, stepsIn, type StepSet } from '#shared/domain/step-set';

/** What a job's row says. */
export interface JobRecord {
  readonly id: string;
  readonly pipeline: string;
  readonly pipeline_hash: string;
  readonly source: string | null;
  readonly source_type: 'local_path' | 'git_url' | null;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly input: JsonObject;
  readonly status: JobStatus;
  readonly priority: Priority;
  readonly done: StepSet;
  readonly dead: StepSet;
  readonly open: StepSet;
  readonly version: number;
  readonly eta: Date | null;
  readonly countdown: number | null;
  readonly created_at: Date;
  readonly queued_at: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly tags: readonly string[];
  readonly description: string | null;
  readonly idempotency_key: string | null;
  readonly depends_on: readonly string[] | null;
  readonly on_dependency_failure: DependencyFailure | null;
  readonly schedule_id: string | null;
  /** Why it failed without any of its steps. */
  readonly error: LastErrorView | null;
}

/** What the row of a step that has begun says; times as Postgres writes them in JSON. */
export interface StepRecord {
  readonly idx: number;
  readonly status: StepRowStatus;
  /** Attempts that have ended. */
  readonly attempts: number;
  readonly worker: string | null;
  readonly retry_count: number;
  readonly next_retry_at: string | null;
  readonly progress: number | null;
  readonly message: string | null;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly duration_ms: number | null;
  readonly cpu_percent: number | null;
  readonly memory_mb: number | null;
  readonly last_error: LastErrorView | null;
  readonly output: Json;
}

/** The snapshot that the job keeps. */
export interface JobPipeline {
  readonly definition: PipelineDefinition;
  readonly graph: PipelineGraph;
}

/**
 * A job as the outside sees it.
 * @param rows of the steps that have begun, in any order
 * @param now the database's time at which all of it was read
 */
export function jobViewOf(job: JobRecord, rows: readonly StepRecord[], pipeline: JobPipeline, now: Date): JobView {
  const rowOf = new Map(rows.map((row) => [row.idx, row]));
  const failed = new Set(rows.filter((row) => row.status === 'failed').map((row) => row.idx));
  const steps = pipeline.definition.steps.map((step, idx) => {
    const row = rowOf.get(idx);
    const waits = !row || row.status === 'queued' || row.status === 'parked';
    const status = waits ? statusOfWaiting(job, idx, pipeline.graph, failed) : row.status;
    return stepViewOf(step, status, row, now);
  });
  const { id, status, version } = job;
  return {
    id,
    pipeline: job.pipeline,
    pipeline_hash: job.pipeline_hash,
    source: job.source,
    source_type: job.source_type,
    branch: job.branch,
    commit: job.commit,
    input: job.input,
    status,
    priority: job.priority,
    progress: progressOf(job, rowOf, steps.length),
    eta: isoOrNull(job.eta),
    countdown: job.countdown,
    created_at: job.created_at.toISOString(),
    queued_at: isoOrNull(job.queued_at),
    started_at: isoOrNull(job.started_at),
    completed_at: isoOrNull(job.completed_at),
    duration_ms: durationOf(job, now),
    tags: [...job.tags],
    description: job.description,
    idempotency_key: job.idempotency_key,
    depends_on: [...(job.depends_on ?? [])],
    on_dependency_failure: job.on_dependency_failure,
    schedule_id: job.schedule_id,
    current_steps: steps.filter((step) => step.status === 'running' || step.status === 'retrying').map(nameOf),
    retry_count: steps.reduce((sum, step) => sum + step.retry_count, 0),
    last_error: newestError(steps, job.error),
    result: status === 'completed' ? resultOf(steps, pipeline.graph) : null,
    version,
    steps,
  };
}

/**
 * Of a step that has no row, or whose row waits for its needs again after a manual retry. A dead one never began in this
 * run: a step that it needs has failed, or the job was cancelled. Where both are so, the failure among its needs came first.
 */
function statusOfWaiting(job: JobRecord, idx: number, graph: PipelineGraph, failed: ReadonlySet<number>): StepStatus {
  if (hasStep(job.done, idx)) return 'completed';
  if (hasStep(job.dead, idx)) {
    const needs = graph.ancestors[idx] ?? 0n;
    const isCancel = job.status === 'cancelled' || job.status === 'cancelling';
    return isCancel && ![...failed].some((step) => hasStep(needs, step)) ? 'cancelled' : 'skipped';
  }
  return hasStep(job.open, idx) ? 'queued' : 'pending';
}

function stepViewOf(step: StepDefinition, status: StepStatus, row: StepRecord | undefined, now: Date): StepView {
  const running = status === 'running';
  return {
    name: step.name,
    uses: step.uses,
    needs: [...step.needs],
    status,
    progress: status === 'completed' ? 100 : (row?.progress ?? 0),
    message: row?.message ?? null,
    attempt: row ? row.attempts + (running ? 1 : 0) : 0,
    retry_count: row?.retry_count ?? 0,
    max_retries: step.max_retries,
    next_retry_at: status === 'retrying' ? isoOrNull(row?.next_retry_at) : null,
    last_error: row?.last_error ?? null,
    started_at: isoOrNull(row?.started_at),
    completed_at: isoOrNull(row?.completed_at),
    duration_ms: running ? sinceMs(row?.started_at, now) : (row?.duration_ms ?? null),
    cpu_percent: row?.cpu_percent ?? null,
    memory_mb: row?.memory_mb ?? null,
    worker: row?.worker ?? null,
    output: status === 'completed' ? (row?.output ?? {}) : null,
  };
}

/** Every step has the same share; one that has begun has so much of it as it reported. In tenths, rounded down. */
function progressOf(job: JobRecord, rowOf: ReadonlyMap<number, StepRecord>, count: number): number {
  if (job.status === 'completed') return 100;
  let sum = 0;
  for (let idx = 0; idx < count; idx += 1) {
    sum += hasStep(job.done, idx) ? 100 : Math.min(Math.max(rowOf.get(idx)?.progress ?? 0, 0), 100);
  }
  return Math.floor((sum / count) * 10) / 10;
}

function durationOf(job: JobRecord, now: Date): number | null {
  if (!job.started_at) return null;
  const end = job.completed_at ?? (isEnded(job.status) ? null : now);
  return end ? Math.max(0, end.getTime() - job.started_at.getTime()) : null;
}

function sinceMs(start: string | null | undefined, now: Date): number | null {
  return typeof start === 'string' ? Math.max(0, now.getTime() - Date.parse(start)) : null;
}

function newestError(steps: readonly StepView[], ofJob: LastErrorView | null): LastErrorView | null {
  return steps.reduce<LastErrorView | null>(
    (newest, { last_error }) => (last_error && (!newest || last_error.at > newest.at) ? last_error : newest),
    ofJob,
  );
}

function resultOf(steps: readonly StepView[], graph: PipelineGraph): JobView['result'] {
  const leaves = stepsIn(graph.leaves).flatMap((idx) => steps[idx] ?? []);
  return Object.fromEntries(leaves.map((step) => [step.name, step.output]));
}

const nameOf = (step: StepView): string => step.name;

function isoOrNull(time: Date | string | null | undefined): string | null {
  if (time === null || time === undefined) return null;
  return (typeof time === 'string' ? new Date(time) : time).toISOString();
}
