import { hasStep, stepBit, stepsIn, type StepSet } from '#shared/domain/step-set';
import { jobTransition } from '#shared/domain/transitions';
import type { JobDraft, Micros, Pools, StepRow } from '#shared/domain/turn/job-draft';
import { returnTokens } from '#shared/domain/turn/tokens';

/** Whether steps of the job may begin: it is neither held, nor being cancelled, nor over. */
const isLive = (draft: JobDraft): boolean => jobTransition(draft.job.status, 'begin') !== null;

/**
 * Gives open steps whose messages were lost a message again. The finder has checked the frontier and the margin; here,
 * under the lock, what it saw must still be so.
 * @param seenAt `dispatchedAt` as the finder saw it: of two menders one wins
 * @param isLost whether a step with this row (or none) has nobody who moves it
 * @returns the steps that now need a message
 */
export function mendSteps(
  draft: JobDraft,
  steps: StepSet,
  seenAt: Micros,
  isLost: (row: StepRow | undefined) => boolean,
): StepSet {
  const { job } = draft;
  if (!isLive(draft) || job.dispatchedAt !== seenAt) return 0n;
  const lost = stepsIn(steps & job.open).filter((idx) => isLost(draft.rows.get(idx)));
  for (const idx of lost) {
    const row = draft.rows.get(idx);
    if (!row) continue;
    row.turn = idx;
    draft.changedRows.add(idx);
  }
  const mended = lost.reduce((set, idx) => set | stepBit(idx), 0n);
  draft.openSteps(mended);
  return mended;
}

/** Ends a back-off that was left to the scheduler. @returns whether the step now needs a message */
export function releaseRetry(draft: JobDraft, idx: number): boolean {
  const row = draft.rows.get(idx);
  if (row?.status !== 'retrying' || !row.awaitsScheduler || (row.nextRetryAt ?? 0) > draft.now) return false;
  if (!isLive(draft) || !draft.isOpen(idx)) return false;
  draft.moveStep(idx, 'release');
  row.awaitsScheduler = false;
  row.nextRetryAt = null;
  row.turn = idx;
  draft.openSteps(stepBit(idx));
  return true;
}

/**
 * Lets a parked step try for its tokens again. The job does not count as handed out anew: a step may try as often as its
 * pool has room, and each time would put off the sweep of the job's other steps.
 * @returns whether it now needs a message
 */
export function releaseParked(draft: JobDraft, idx: number): boolean {
  const row = draft.rows.get(idx);
  if (row?.status !== 'parked' || !draft.isOpen(idx) || !isLive(draft)) return false;
  row.turn = idx;
  draft.changedRows.add(idx);
  draft.opened |= stepBit(idx);
  draft.changed = true;
  return true;
}

/** Releases a held job whose time has come. @returns the steps that now need a message */
export function releaseJob(draft: JobDraft): StepSet {
  if (draft.job.status !== 'scheduled' || !draft.move('release')) return 0n;
  draft.openSteps(draft.graph.roots);
  return draft.graph.roots;
}

/** A worker gives up a step unfinished: draining, or it does not know it. Burns no attempt. @returns whether it was its own */
export function handBack(draft: JobDraft, idx: number, worker: string, epoch: number | null, pools: Pools): boolean {
  const row = draft.rows.get(idx);
  if (row?.status !== 'running' || row.worker !== worker || (epoch !== null && row.epoch !== epoch)) return false;
  if (!hasStep(draft.job.open, idx)) return false;
  draft.moveStep(idx, 'hand_back');
  row.worker = null;
  draft.markSlow(idx);
  returnTokens(draft, row, pools);
  return true;
}
