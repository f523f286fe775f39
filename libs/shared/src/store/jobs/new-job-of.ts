import { uuidv7 } from 'uuidv7';
import type { SubmitRequest } from '#shared/contracts/ingest-request';
import type { NewJob } from '#shared/domain/new-job';
import type { JobPlan } from '#shared/store/jobs/job-plans';

/** A source that was looked at, or none. */
export interface FoundSource {
  readonly source: string | null;
  readonly type: 'local_path' | 'git_url' | null;
}

/** The job of a request that was checked, with an id of its own; as if without a key, and made by no schedule. */
export function newJobOf(request: SubmitRequest, { pipeline, stored }: JobPlan, found: FoundSource): NewJob {
  return {
    id: uuidv7(),
    pipeline: pipeline.name,
    pipelineHash: stored.hash,
    allSteps: stored.graph.all,
    roots: stored.graph.roots,
    priority: request.priority,
    source: found.source,
    sourceType: found.type,
    branch: request.branch ?? null,
    commit: null,
    input: request.input ?? {},
    options: request.options ?? {},
    tags: request.tags ?? [],
    description: request.description ?? null,
    etaSeconds: request.eta ?? null,
    countdown: request.countdown ?? null,
    dependsOn: [...new Set(request.depends_on)],
    onDependencyFailure: request.on_dependency_failure ?? 'fail',
    scheduleId: null,
    idempotencyKey: null,
    requestHash: null,
  };
}
