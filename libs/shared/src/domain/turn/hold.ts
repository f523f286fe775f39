import { isEnded, type JobStatus } from '#shared/domain/status';
import { NO_STEPS } from '#shared/domain/step-set';
import { isoOf, type JobDraft, type Micros } from '#shared/domain/turn/job-draft';
import { type Dependency, type DependencyOutcome, isUnsettled, lostDependency } from '#shared/domain/turn/job-hold';
import { retryJob } from '#shared/domain/turn/retry';

/** When a held job is to start: at a time, or so many seconds from now by the database's clock. */
export type NewStart = { readonly eta: Micros } | { readonly countdown: number };

/** Gives a scheduled job another time; one that has come starts it. @returns false when it is not scheduled */
export function rescheduleJob(draft: JobDraft, start: NewStart): boolean {
  if (draft.job.status !== 'scheduled') return false;
  const { hold, now } = draft;
  hold.eta = 'eta' in start ? start.eta : now + Math.round(start.countdown * 1_000_000);
  draft.rescheduled = { countdown: 'eta' in start ? null : start.countdown };
  draft.changed = true;
  if (hold.eta <= now) letGo(draft);
  return true;
}

/**
 * Tells a job how one that it needs stands. Held, it goes on after the last one, or fails with the first that has; failed
 * only for such, it is held again once that one goes on.
 * @returns whether the job itself has moved
 */
export function tellOfDependency(draft: JobDraft, jobId: string, status: JobStatus): boolean {
  const { hold, job } = draft;
  const dependency = hold.dependencies.find((each) => each.jobId === jobId);
  const outcome = isEnded(status) ? (status as DependencyOutcome) : null;
  if (!dependency || dependency.settled || dependency.outcome === outcome) return false;
  dependency.outcome = outcome;
  dependency.settled = outcome === 'completed' || (outcome !== null && hold.onDependencyFailure === 'run');
  draft.changed = true;
  const before = job.status;
  const lost = lostDependency(hold);
  if (job.status === 'scheduled' || job.status === 'waiting') {
    if (lost) failFor(draft, lost);
    else if (job.status === 'waiting') letGo(draft);
  } else if (job.status === 'failed' && draft.isUntouched && !lost) {
    retryJob(draft, null, new Map());
  }
  return job.status !== before;
}

/** Its time has come: it begins, unless there are jobs to wait for. */
function letGo(draft: JobDraft): void {
  if (draft.hold.dependencies.some(isUnsettled)) draft.move('wait');
  else if (draft.move('release')) draft.openSteps(draft.graph.roots);
}

function failFor(draft: JobDraft, { jobId, outcome }: Dependency): void {
  const { job, graph, now } = draft;
  draft.move('fail');
  job.open = NO_STEPS;
  job.dead = graph.all & ~job.done;
  job.completedAt = now;
  const how = outcome === 'cancelled' ? 'was cancelled' : 'failed';
  draft.error = {
    message: `job ${jobId}, which it depends on, ${how}`,
    kind: 'permanent',
    code: `dependency_${outcome}`,
    at: isoOf(now),
    attempt: 0,
  };
}
