import { hasStep, NO_STEPS, stepBit, type StepSet } from '#shared/domain/step-set';
import type { JobDraft, Pools } from '#shared/domain/turn/job-draft';
import { isUnsettled, lostDependency } from '#shared/domain/turn/job-hold';
import { returnTokens } from '#shared/domain/turn/tokens';

/**
 * Runs again what is not completed, or from the named step on, in a new run. A job that has never begun is held again,
 * where it still has something to wait for.
 * @returns the steps that now need a message; null when the state forbids it, or a job that it needs has failed
 */
export function retryJob(draft: JobDraft, fromIdx: number | null, pools: Pools): StepSet | null {
  const { job, graph } = draft;
  const event = draft.isUntouched ? eventOfUntouched(draft) : fromIdx === null ? 'retry' : 'rerun';
  if (event === null || !draft.move(event)) return null;
  const again = graph.all & ~job.done;
  const from = fromIdx === null ? NO_STEPS : stepBit(fromIdx) | (graph.descendants[fromIdx] ?? NO_STEPS);
  const affected = again | from;
  job.run += 1;
  job.done &= ~affected;
  job.dead = NO_STEPS;
  job.slow |= affected;
  job.open = NO_STEPS;
  job.startedAt = null;
  job.completedAt = null;
  draft.redriven = affected;
  for (const row of draft.rows.values()) {
    if (!hasStep(affected, row.idx)) continue;
    returnTokens(draft, row, pools);
    draft.moveStep(row.idx, 'reset');
    Object.assign(row, {
      ...{ retryCount: 0, crashes: 0, worker: null, turn: row.idx, nextRetryAt: null, awaitsScheduler: false },
      ...{ startedAt: null, completedAt: null, durationMs: null, cpuPercent: null, memoryMb: null },
    });
  }
  if (event === 'hold' || event === 'wait') return NO_STEPS;
  let ready = NO_STEPS;
  graph.needs.forEach((needs, idx) => {
    if (hasStep(affected, idx) && (needs & ~job.done) === NO_STEPS) ready |= stepBit(idx);
  });
  draft.openSteps(ready);
  return ready;
}

function eventOfUntouched({ hold, now }: JobDraft): 'hold' | 'wait' | 'retry' | null {
  if (lostDependency(hold) !== null) return null;
  if (hold.eta !== null && hold.eta > now) return 'hold';
  return hold.dependencies.some(isUnsettled) ? 'wait' : 'retry';
}
