import type { Turn } from '#shared/bus/turn-publisher';
import type { WorkData } from '#shared/contracts/work-message';
import type { NewJob } from '#shared/domain/new-job';
import { isLimited } from '#shared/domain/pipeline';
import { stepsIn } from '#shared/domain/step-set';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';

/**
 * The turns that a new job begins with: one for each step that needs no other.
 * @param at when the database stored it, in microseconds since 1970
 * @param askedAtMs `performance.now()` from before it was asked to
 */
export function openingTurns(job: NewJob, { definition, hash }: StoredPipeline, at: number, askedAtMs: number): Turn[] {
  const { source, sourceType: source_type, branch, commit, input, options } = job;
  const data: WorkData = { source, source_type, branch, commit, input, options: { ...options }, outputs: {} };
  return stepsIn(job.roots).flatMap((head) => {
    const step = definition.steps[head];
    if (!step) return [];
    const read = isLimited(step);
    const message = { job_id: job.id, run: 1, head, at, read, pipeline_hash: hash, data: read ? undefined : data };
    return [{ message, queue: step.queue, priority: job.priority, askedAtMs }];
  });
}
