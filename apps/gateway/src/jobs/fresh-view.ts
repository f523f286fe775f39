import type { JobView } from '#shared/contracts/job';
import type { NewJob } from '#shared/domain/new-job';
import { NO_STEPS } from '#shared/domain/step-set';
import type { SubmitOutcome } from '#shared/store/jobs/insert-jobs';
import { jobViewOf } from '#shared/store/jobs/job-view';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';

type Created = Extract<SubmitOutcome, { kind: 'created' }>;

/*
 * Jobs of one pipeline that have just been stored differ in few fields: the first one of each pipeline and status is the
 * pattern of the others. Their steps are the same object, and are written as JSON once.
 */
const patterns = new WeakMap<StoredPipeline, Map<Created['status'], JobView>>();
const stepsAsText = new WeakMap<JobView['steps'], string>();

/** The job as a reader would find it right after its commit. Its steps are shared: not to be changed. */
export function freshView(job: NewJob, outcome: Created, pipeline: StoredPipeline): JobView {
  const ofPipeline = patterns.get(pipeline) ?? new Map<Created['status'], JobView>();
  patterns.set(pipeline, ofPipeline);
  const pattern = ofPipeline.get(outcome.status) ?? patternOf(job, outcome, pipeline);
  ofPipeline.set(outcome.status, pattern);
  const createdAt = outcome.createdAt.toISOString();
  return {
    ...pattern,
    id: job.id,
    source: job.source,
    source_type: job.sourceType,
    branch: job.branch,
    commit: job.commit,
    input: job.input,
    priority: job.priority,
    eta: outcome.eta?.toISOString() ?? null,
    countdown: job.countdown,
    created_at: createdAt,
    queued_at: pattern.queued_at === null ? null : createdAt,
    tags: [...job.tags],
    description: job.description,
    idempotency_key: job.idempotencyKey,
    depends_on: [...job.dependsOn],
    on_dependency_failure: job.dependsOn.length > 0 ? job.onDependencyFailure : null,
    schedule_id: job.scheduleId,
  };
}

/** The view as JSON, its steps copied from what was written before. */
export function freshText(view: JobView): string {
  let steps = stepsAsText.get(view.steps);
  if (steps === undefined) {
    steps = JSON.stringify(view.steps);
    stepsAsText.set(view.steps, steps);
  }
  const others = JSON.stringify({ ...view, steps: undefined });
  return `${others.slice(0, -1)},"steps":${steps}}`;
}

function patternOf(job: NewJob, { status, createdAt, eta }: Created, pipeline: StoredPipeline): JobView {
  const ready = status === 'pending';
  const record = {
    ...{ id: job.id, pipeline: job.pipeline, pipeline_hash: job.pipelineHash, source: job.source },
    ...{ source_type: job.sourceType, branch: job.branch, commit: job.commit, input: job.input },
    ...{ status, priority: job.priority, version: 1, done: NO_STEPS, dead: NO_STEPS },
    open: ready ? job.roots : NO_STEPS,
    ...{ eta, countdown: job.countdown, created_at: createdAt, queued_at: ready ? createdAt : null },
    ...{ started_at: null, completed_at: null, tags: job.tags, description: job.description },
    idempotency_key: job.idempotencyKey,
    ...{ depends_on: null, on_dependency_failure: null, schedule_id: null, error: null },
  };
  return jobViewOf(record, [], pipeline, createdAt);
}
