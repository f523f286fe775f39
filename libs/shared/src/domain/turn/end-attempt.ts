import type { Json } from '#shared/domain/json';
import { readySteps } from '#shared/domain/pipeline';
import { hasStep, NO_STEPS, stepBit, stepsIn } from '#shared/domain/step-set';
import { jobTransition } from '#shared/domain/transitions';
import {
  type AttemptRecord,
  isoOf,
  type JobDraft,
  type Micros,
  type Pools,
  type StepError,
  type StepRow,
} from '#shared/domain/turn/job-draft';
import { returnTokens } from '#shared/domain/turn/tokens';

/** What a worker measured of an attempt. */
export interface Measured {
  readonly startedAt: Micros;
  readonly finishedAt: Micros;
  readonly durationMs: number;
  readonly cpuPercent: number;
  readonly memoryMb: number;
}

/** Whether and when a failed step is tried again. */
export type RetryDecision =
  | { readonly kind: 'final' }
  | {
      readonly kind: 'retry';
      readonly delayMs: number;
      /** The delay is left to the scheduler; otherwise the turn's message is nak'd with it. */
      readonly viaScheduler: boolean;
    };

export type AttemptResult =
  | { readonly kind: 'completed'; readonly output: Json }
  | {
      readonly kind: 'failed';
      readonly outcome: 'failed' | 'timeout';
      readonly error: StepError;
      /** What the step's policy says, given how often it was retried already. */
      readonly retry: (retryCount: number) => RetryDecision;
    }
  /** It was stopped because its job is being cancelled. */
  | { readonly kind: 'cancelled' };

/** What is kept with an attempt that a cancel has stopped. */
export const CANCELLED: StepError = { message: 'the job was cancelled', kind: 'cancelled', code: null };

/** Which attempt has ended. A fast one was begun unread, at the epoch that no row implies. */
export interface AttemptKey {
  readonly run: number;
  readonly head: number;
  readonly idx: number;
  readonly epoch: number;
  readonly fast: boolean;
  readonly worker: string;
}

export type SettleOutcome =
  /** Somebody else owns the step by now, or its run is over. Drop the result, ack. */
  | { readonly kind: 'stale' }
  | { readonly kind: 'settled'; readonly kept: KeptStep | null; readonly retry: RetryDecision | null };

/** A step that the turn goes on with: its row is written with the settlement that opened it. */
export interface KeptStep {
  readonly idx: number;
  readonly epoch: number;
  readonly attempt: number;
}

/**
 * Records the end of one attempt. (The settle statement of the turn protocol, for one step.)
 * @param mayKeep whether the turn may go on with a step that this one makes ready
 */
export function endAttempt(
  draft: JobDraft,
  key: AttemptKey,
  result: AttemptResult,
  measured: Measured,
  pools: Pools,
  mayKeep: (idx: number) => boolean,
): SettleOutcome {
  if (!owns(draft, key)) return { kind: 'stale' };
  const { job, graph } = draft;
  if (result.kind === 'cancelled' && job.status !== 'cancelling') return { kind: 'stale' };
  job.startedAt ??= measured.startedAt;
  if (result.kind === 'failed') return endFailed(draft, key, result, measured, pools);
  if (result.kind === 'cancelled') return endCancelled(draft, key, measured, pools);
  const row = draft.moveStep(key.idx, 'complete');
  returnTokens(draft, row, pools);
  record(draft, row, key, measured, { outcome: 'completed', error: null, nextDelayMs: null });
  row.completedAt = measured.finishedAt;
  row.output = result.output;
  job.done |= stepBit(key.idx);
  job.open &= ~stepBit(key.idx);
  const ready = job.status === 'cancelling' ? NO_STEPS : readySteps(graph, job.done, job.done | job.dead | job.open);
  const kept = stepsIn(ready).find(mayKeep);
  draft.openSteps(ready);
  if (kept !== undefined) draft.opened &= ~stepBit(kept);
  const keptStep = kept === undefined ? null : keep(draft, kept, key);
  draft.updateStatus();
  return { kind: 'settled', kept: keptStep, retry: null };
}

function endFailed(
  draft: JobDraft,
  key: AttemptKey,
  result: AttemptResult & { kind: 'failed' },
  measured: Measured,
  pools: Pools,
): SettleOutcome {
  const retry = result.retry(draft.rows.get(key.idx)?.retryCount ?? 0);
  const row = draft.moveStep(key.idx, retry.kind === 'retry' ? 'back_off' : 'fail');
  returnTokens(draft, row, pools);
  const nextDelayMs = retry.kind === 'retry' ? retry.delayMs : null;
  record(draft, row, key, measured, { outcome: result.outcome, error: result.error, nextDelayMs });
  draft.markSlow(key.idx);
  if (retry.kind === 'retry') {
    row.completedAt = null;
    row.retryCount += 1;
    // Counted from the end of the attempt, however long it took to record it.
    row.nextRetryAt = Math.min(measured.finishedAt, draft.now) + Math.round(retry.delayMs * 1_000);
    row.awaitsScheduler = retry.viaScheduler;
  } else {
    row.completedAt = measured.finishedAt;
    bury(draft, key.idx);
    draft.deadLetters.push({ idx: key.idx, error: result.error, attempts: row.attempts });
  }
  draft.updateStatus();
  return { kind: 'settled', kept: null, retry };
}

/** The job itself ends once every worker has stopped what it ran of it. */
function endCancelled(draft: JobDraft, key: AttemptKey, measured: Measured, pools: Pools): SettleOutcome {
  const row = draft.moveStep(key.idx, 'cancel');
  returnTokens(draft, row, pools);
  record(draft, row, key, measured, { outcome: 'cancelled', error: CANCELLED, nextDelayMs: null });
  row.completedAt = measured.finishedAt;
  draft.markSlow(key.idx);
  bury(draft, key.idx);
  draft.updateStatus();
  return { kind: 'settled', kept: null, retry: null };
}

function owns(draft: JobDraft, key: AttemptKey): boolean {
  const { job } = draft;
  if (job.run !== key.run || jobTransition(job.status, 'complete') === null) return false;
  if (hasStep(job.done | job.dead, key.idx) || !hasStep(job.open, key.idx)) return false;
  const row = draft.rows.get(key.idx);
  if (key.fast) return !hasStep(job.slow, key.idx) && (!row || row.status === 'running');
  return row?.status === 'running' && row.epoch === key.epoch;
}

function keep(draft: JobDraft, idx: number, key: AttemptKey): KeptStep {
  const known = draft.rows.has(idx);
  const row = draft.moveStep(idx, 'claim');
  if (known || !key.fast) {
    row.epoch += 1;
    draft.markSlow(idx);
  }
  row.worker = key.worker;
  row.turn = key.head;
  row.startedAt = draft.now;
  row.completedAt = null;
  row.nextRetryAt = null;
  return { idx, epoch: row.epoch, attempt: row.attempts + 1 };
}

function record(
  draft: JobDraft,
  row: StepRow,
  key: AttemptKey,
  measured: Measured,
  { outcome, error, nextDelayMs }: Pick<AttemptRecord, 'outcome' | 'error' | 'nextDelayMs'>,
): void {
  const { startedAt, finishedAt, durationMs, cpuPercent, memoryMb } = measured;
  row.attempts += 1;
  // The last worker stays named with the step; only `running` means that it is at work.
  row.worker = key.worker;
  row.turn = key.head;
  Object.assign(row, { startedAt, durationMs, cpuPercent, memoryMb, nextRetryAt: null, awaitsScheduler: false });
  if (error) row.lastError = { ...error, at: isoOf(draft.now), attempt: row.attempts };
  const number = row.attempts;
  const { idx, epoch } = row;
  const { worker } = key;
  draft.attempts.push({
    ...{ idx, epoch, number, worker, outcome, startedAt, finishedAt, durationMs, cpuPercent, memoryMb },
    error,
    nextDelayMs,
  });
}

/** A step has failed for good, though no attempt of it has just ended: what needs it is dead too. */
export function failForGood(draft: JobDraft, idx: number, error: StepError, pools: Pools): void {
  const row = draft.moveStep(idx, 'fail');
  returnTokens(draft, row, pools);
  row.completedAt = draft.now;
  row.nextRetryAt = null;
  draft.markSlow(idx);
  bury(draft, idx);
  draft.deadLetters.push({ idx, error, attempts: row.attempts });
  draft.updateStatus();
}

function bury(draft: JobDraft, idx: number): void {
  const gone = stepBit(idx) | (draft.graph.descendants[idx] ?? NO_STEPS);
  draft.buried |= gone & ~draft.job.dead & ~stepBit(idx);
  draft.job.dead |= gone;
  draft.job.open &= ~gone;
}
