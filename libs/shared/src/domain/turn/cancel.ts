import { isEnded } from '#shared/domain/status';
import { hasStep, NO_STEPS, stepBit } from '#shared/domain/step-set';
import { isoOf, type JobDraft, type Pools } from '#shared/domain/turn/job-draft';
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

/** Ends a cancelling job; the caller has seen that no worker runs or will begin anything of it. */
export function finishCancel(draft: JobDraft, pools: Pools): boolean {
  const { job } = draft;
  if (!draft.move('finish_cancel')) return false;
  for (const row of draft.rows.values()) {
    if (hasStep(job.done | job.dead, row.idx)) continue;
    if (row.status === 'running') recordCancelled(draft, row.idx);
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

function recordCancelled(draft: JobDraft, idx: number): void {
  const row = draft.rows.get(idx);
  if (!row) return;
  const error = { message: 'the job was cancelled', kind: 'cancelled' as const, code: null };
  row.attempts += 1;
  row.lastError = { ...error, at: isoOf(draft.now), attempt: row.attempts };
  const startedAt = row.startedAt ?? draft.now;
  draft.attempts.push({
    idx,
    epoch: row.epoch,
    number: row.attempts,
    worker: row.worker,
    outcome: 'cancelled',
    startedAt,
    finishedAt: draft.now,
    durationMs: (draft.now - startedAt) / 1_000,
    cpuPercent: 0,
    memoryMb: 0,
    error,
    nextDelayMs: null,
  });
}

/**
 * Runs again what is not completed, or from the named step on, in a new run.
 * @returns the steps that now need a message; null when the state forbids it
 */
export function retryJob(draft: JobDraft, fromIdx: number | null, pools: Pools): bigint | null {
  const { job, graph } = draft;
  if (!draft.move(fromIdx === null ? 'retry' : 'rerun')) return null;
  const again = graph.all & ~job.done;
  const from = fromIdx === null ? NO_STEPS : stepBit(fromIdx) | (graph.descendants[fromIdx] ?? NO_STEPS);
  const affected = again | from;
  job.run += 1;
  job.done &= ~affected;
  job.dead = NO_STEPS;
  job.slow |= affected;
  job.open = NO_STEPS;
  job.completedAt = null;
  for (const row of draft.rows.values()) {
    if (!hasStep(affected, row.idx)) continue;
    returnTokens(draft, row, pools);
    draft.moveStep(row.idx, 'reset');
    Object.assign(row, {
      retryCount: 0,
      crashes: 0,
      worker: null,
      turn: row.idx,
      nextRetryAt: null,
      completedAt: null,
    });
    row.awaitsScheduler = false;
  }
  let ready = NO_STEPS;
  graph.needs.forEach((needs, idx) => {
    if (hasStep(affected, idx) && (needs & ~job.done) === NO_STEPS) ready |= stepBit(idx);
  });
  draft.openSteps(ready);
  return ready;
}
