import type { JsonObject } from '#shared/domain/json';
import { readySteps } from '#shared/domain/pipeline';
import { isEnded } from '#shared/domain/status';
import { hasStep, NO_STEPS, stepBit, stepsIn } from '#shared/domain/step-set';
import {
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

export type AttemptResult =
  | { readonly kind: 'completed'; readonly output: JsonObject }
  | {
      readonly kind: 'failed';
      readonly outcome: 'failed' | 'timeout' | 'cancelled';
      readonly error: StepError;
      /** Delay before the next attempt when there may be one; null: it has failed for good. */
      readonly retryDelayMs: number | null;
      /** The delay is left to the scheduler; otherwise the turn's message is nak'd with it. */
      readonly viaScheduler: boolean;
    };

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
  | { readonly kind: 'settled'; readonly kept: KeptStep | null; readonly retryAt: Micros | null };

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
  const failed = result.kind === 'failed';
  const retrying = failed && result.retryDelayMs !== null;
  const row = draft.moveStep(key.idx, !failed ? 'complete' : retrying ? 'back_off' : 'fail');
  returnTokens(draft, row, pools);
  record(draft, row, key, result, measured);
  job.startedAt ??= measured.startedAt;
  if (failed) {
    draft.markSlow(key.idx);
    row.turn = key.head;
    if (result.retryDelayMs !== null) {
      row.retryCount += 1;
      row.nextRetryAt = draft.now + Math.round(result.retryDelayMs * 1_000);
      row.awaitsScheduler = result.viaScheduler;
    } else {
      bury(draft, key.idx);
    }
    draft.updateStatus();
    return { kind: 'settled', kept: null, retryAt: row.nextRetryAt };
  }
  row.output = result.output;
  job.done |= stepBit(key.idx);
  job.open &= ~stepBit(key.idx);
  const ready = job.status === 'cancelling' ? NO_STEPS : readySteps(graph, job.done, job.done | job.dead | job.open);
  const kept = stepsIn(ready).find(mayKeep);
  draft.openSteps(ready);
  if (kept !== undefined) draft.opened &= ~stepBit(kept);
  const keptStep = kept === undefined ? null : keep(draft, kept, key);
  draft.updateStatus();
  return { kind: 'settled', kept: keptStep, retryAt: null };
}

function owns(draft: JobDraft, key: AttemptKey): boolean {
  const { job } = draft;
  if (job.run !== key.run || isEnded(job.status)) return false;
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

function record(draft: JobDraft, row: StepRow, key: AttemptKey, result: AttemptResult, measured: Measured): void {
  const failed = result.kind === 'failed';
  row.attempts += 1;
  // The last worker stays named with the step; only `running` means that it is at work.
  row.worker = key.worker;
  row.nextRetryAt = null;
  row.awaitsScheduler = false;
  row.startedAt = measured.startedAt;
  row.durationMs = measured.durationMs;
  row.cpuPercent = measured.cpuPercent;
  row.memoryMb = measured.memoryMb;
  row.completedAt = failed && result.retryDelayMs !== null ? null : measured.finishedAt;
  if (failed) row.lastError = { ...result.error, at: isoOf(draft.now), attempt: row.attempts };
  draft.attempts.push({
    idx: row.idx,
    epoch: row.epoch,
    number: row.attempts,
    worker: key.worker,
    outcome: failed ? result.outcome : 'completed',
    startedAt: measured.startedAt,
    finishedAt: measured.finishedAt,
    durationMs: measured.durationMs,
    cpuPercent: measured.cpuPercent,
    memoryMb: measured.memoryMb,
    error: failed ? result.error : null,
    nextDelayMs: failed ? result.retryDelayMs : null,
  });
}

/** A step has failed for good: what needs it is dead too. Its row is already, or becomes here, `failed`. */
export function failForGood(draft: JobDraft, idx: number, pools: Pools): void {
  const row = draft.moveStep(idx, 'fail');
  returnTokens(draft, row, pools);
  row.completedAt = draft.now;
  row.nextRetryAt = null;
  draft.markSlow(idx);
  bury(draft, idx);
  draft.updateStatus();
}

function bury(draft: JobDraft, idx: number): void {
  const gone = stepBit(idx) | (draft.graph.descendants[idx] ?? NO_STEPS);
  draft.job.dead |= gone;
  draft.job.open &= ~gone;
}
