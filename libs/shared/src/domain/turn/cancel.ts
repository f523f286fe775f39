import { isEnded } from '#shared/domain/status';
import { hasStep, NO_STEPS } from '#shared/domain/step-set';
import { recordCrash } from '#shared/domain/turn/claim';
import { CANCELLED } from '#shared/domain/turn/end-attempt';
import { isoOf, type JobDraft, type Micros, type Pools, type StepRow } from '#shared/domain/turn/job-draft';
import { returnTokens } from '#shared/domain/turn/tokens';

export type CancelOutcome = 'cancelled' | 'cancelling' | 'already_ended';

/** Asks for a job to stop. One that is held stops at once, another once every worker has acknowledged it. */
export function cancelJob(draft: JobDraft): CancelOutcome {
  const { job } = draft;
  if (isEnded(job.status)) return 'already_ended';
  if (job.status === 'cancelling') return 'cancelling';
  draft.move('cancel');
  if (!isEnded(draft.job.status)) return 'cancelling';
  job.completedAt = draft.now;
  job.dead = draft.graph.all & ~job.done;
  return 'cancelled';
}

/**
 * Ends a cancelling job; the caller has seen that no worker runs or will begin anything of it.
 * @param leases when each worker's lease ends: a row that says `running` under none is that of a worker that has died
 */
export function finishCancel(draft: JobDraft, leases: ReadonlyMap<string, Micros>, pools: Pools): boolean {
  const { job } = draft;
  if (!draft.move('finish_cancel')) return false;
  for (const row of draft.rows.values()) {
    if (hasStep(job.done | job.dead, row.idx)) continue;
    if (row.status === 'running') recordEnd(draft, row, leases);
    draft.moveStep(row.idx, 'cancel');
    row.nextRetryAt = null;
    row.awaitsScheduler = false;
    row.completedAt = draft.now;
    returnTokens(draft, row, pools);
  }
  job.open = NO_STEPS;
  job.dead |= draft.graph.all & ~job.done;
  job.completedAt = draft.now;
  return true;
}

/** A worker settles what it has stopped itself; this is what is left of one that died, or that never began the step. */
function recordEnd(draft: JobDraft, row: StepRow, leases: ReadonlyMap<string, Micros>): void {
  if ((leases.get(row.worker ?? '') ?? 0) <= draft.now) {
    recordCrash(draft, row);
    return;
  }
  row.attempts += 1;
  row.lastError = { ...CANCELLED, at: isoOf(draft.now), attempt: row.attempts };
  draft.attempts.push({
    idx: row.idx,
    epoch: row.epoch,
    number: row.attempts,
    worker: row.worker,
    outcome: 'cancelled',
    startedAt: row.startedAt ?? draft.now,
    finishedAt: draft.now,
    durationMs: 0,
    cpuPercent: 0,
    memoryMb: 0,
    error: CANCELLED,
    nextDelayMs: null,
  });
}
