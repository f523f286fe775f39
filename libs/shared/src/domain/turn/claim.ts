import { hasStep } from '#shared/domain/step-set';
import { jobTransition } from '#shared/domain/transitions';
import { failForGood } from '#shared/domain/turn/end-attempt';
import {
  isoOf,
  type JobDraft,
  type Micros,
  newRow,
  type Pools,
  type StepError,
  type StepRow,
} from '#shared/domain/turn/job-draft';
import { takeTokens } from '#shared/domain/turn/tokens';

/** A step that has killed its worker this often is not tried again. */
export const MAX_CRASHES = 3;

export interface ClaimRequest {
  readonly run: number;
  readonly head: number;
  readonly worker: string;
  /** Whether an id is this worker's, now or in an earlier incarnation: it lives, so its steps have not crashed. */
  readonly isOwn: (worker: string) => boolean;
  /** When each worker's lease ends; a worker that is not there has none. */
  readonly leases: ReadonlyMap<string, Micros>;
  readonly pools: Pools;
  /** Whether the claiming worker's own memory has this step at work. */
  readonly knows: (idx: number) => boolean;
  /** Whether the worker may take a step that has crashed before: it runs at most one of those at a time. */
  readonly mayTakeSuspect: () => boolean;
}

export type ClaimOutcome =
  /** The step is the worker's: begin it, then settle it by this epoch. */
  | {
      readonly kind: 'taken';
      readonly idx: number;
      readonly epoch: number;
      readonly attempt: number;
      /** For how long it stays under suspicion of killing its worker, in milliseconds; 0: it never has crashed. */
      readonly suspectMs: number;
    }
  /** Nothing to do now, and somebody else sees to the rest: ack. */
  | { readonly kind: 'nothing' }
  /** Come back in so many milliseconds: nak with that delay. */
  | { readonly kind: 'later'; readonly delayMs: number }
  /** It has crashed before, and the worker runs another such step already: come back soon. */
  | { readonly kind: 'suspect_waits' }
  /** The claim found a third crash: the step has failed for good. */
  | { readonly kind: 'quarantined'; readonly idx: number };

/**
 * Takes the next step of the turn that `head` opens: the head itself, then the steps that the turn has kept.
 * (The claim statement of the turn protocol.)
 */
export function claimStep(draft: JobDraft, request: ClaimRequest): ClaimOutcome {
  const { job } = draft;
  if (job.run !== request.run || jobTransition(job.status, 'begin') === null) return { kind: 'nothing' };
  let laterMs: number | null = null;
  let suspectWaits = false;
  for (const idx of turnOrder(draft, request.head)) {
    if (!hasStep(job.open, idx)) continue;
    const row = draft.rows.get(idx);
    if (row && idx === request.head && row.turn !== request.head) continue;
    const found = look(draft, row, request);
    if (found === 'take') return take(draft, idx, request);
    if (found === 'crashed') return takeAfterCrash(draft, idx, request);
    if (found === 'suspect_waits') suspectWaits = true;
    else if (found !== null) laterMs = Math.min(laterMs ?? Infinity, Math.max(found, 1));
  }
  if (suspectWaits) return { kind: 'suspect_waits' };
  return laterMs === null ? { kind: 'nothing' } : { kind: 'later', delayMs: laterMs };
}

function turnOrder(draft: JobDraft, head: number): number[] {
  const carried = [...draft.rows.values()].filter((row) => row.turn === head && row.idx !== head).map((row) => row.idx);
  return [head, ...carried.sort((a, b) => a - b)];
}

type Look = 'take' | 'crashed' | 'suspect_waits' | number | null;

/** What to do with an open step: take it, take it as crashed, wait so many milliseconds, or leave it (null). */
function look(draft: JobDraft, row: StepRow | undefined, request: ClaimRequest): Look {
  if (!row) return 'take';
  switch (row.status) {
    case 'queued':
    case 'parked':
      return suspectOrTake(row, request);
    case 'retrying': {
      const restMs = ((row.nextRetryAt ?? 0) - draft.now) / 1_000;
      if (restMs > 0) return row.awaitsScheduler ? null : restMs;
      return suspectOrTake(row, request);
    }
    case 'running': {
      // My own, but I do not know it: the reply to my claim was lost, or a lease of mine. No crash.
      if (row.worker !== null && request.isOwn(row.worker))
        return request.knows(row.idx) ? KNOWN_WAIT_MS : suspectOrTake(row, request);
      const leaseEnd = request.leases.get(row.worker ?? '');
      if (leaseEnd !== undefined && leaseEnd > draft.now) return (leaseEnd - draft.now) / 1_000;
      return row.crashes + 1 < MAX_CRASHES && !request.mayTakeSuspect() ? 'suspect_waits' : 'crashed';
    }
    case 'completed':
    case 'failed':
    case 'cancelled':
      return null;
  }
}

const suspectOrTake = (row: StepRow, request: ClaimRequest): Look =>
  row.crashes > 0 && !request.mayTakeSuspect() ? 'suspect_waits' : 'take';

/** Of a crash that was found by an earlier claim. */
const UNKNOWN_RUN_MS = 60_000;
/** Another copy of a turn that is at work here: it ends soon, or its message comes again. */
const KNOWN_WAIT_MS = 1_000;

/** @param ranMs how long an attempt that crashed ran at most, its end found late; one that runs longer did not do it */
function take(draft: JobDraft, idx: number, request: ClaimRequest, ranMs = UNKNOWN_RUN_MS): ClaimOutcome {
  const { job } = draft;
  const row = draft.rows.get(idx) ?? newRow(idx);
  draft.rows.set(idx, row);
  draft.changedRows.add(idx);
  draft.markSlow(idx);
  row.turn = request.head;
  row.nextRetryAt = null;
  row.awaitsScheduler = false;
  const fullPool = takeTokens(draft, row, request.pools);
  if (fullPool !== null) {
    // The job may still be pending: a step that waits for its tokens has not begun.
    draft.moveStep(idx, 'park');
    row.waitsFor = fullPool;
    row.worker = null;
    return { kind: 'nothing' };
  }
  draft.moveStep(idx, 'claim');
  row.epoch += 1;
  row.worker = request.worker;
  row.startedAt = draft.now;
  row.completedAt = null;
  draft.updateStatus();
  job.startedAt ??= draft.now;
  const suspectMs = row.crashes === 0 ? 0 : Math.max(1, Math.round(ranMs));
  return { kind: 'taken', idx, epoch: row.epoch, attempt: row.attempts + 1, suspectMs };
}

function takeAfterCrash(draft: JobDraft, idx: number, request: ClaimRequest): ClaimOutcome {
  const row = draft.rows.get(idx);
  if (!row) return take(draft, idx, request);
  const error = recordCrash(draft, row);
  const ranMs = (draft.now - (row.startedAt ?? draft.now)) / 1_000;
  if (row.crashes < MAX_CRASHES) return take(draft, idx, request, ranMs);
  failForGood(draft, idx, error, request.pools);
  return { kind: 'quarantined', idx };
}

/** Records that the worker of a running step is gone, with what is known of that attempt. */
export function recordCrash(draft: JobDraft, row: StepRow): StepError {
  const message = `the worker ${row.worker ?? ''} died, or lost its lease, while it ran this step`;
  const error = { message, kind: 'crashed' as const, code: 'worker_lost' };
  row.crashes += 1;
  row.attempts += 1;
  row.lastError = { ...error, at: isoOf(draft.now), attempt: row.attempts };
  draft.attempts.push({
    idx: row.idx,
    epoch: row.epoch,
    number: row.attempts,
    worker: row.worker,
    outcome: 'crashed',
    startedAt: row.startedAt ?? draft.now,
    finishedAt: draft.now,
    durationMs: null,
    cpuPercent: null,
    memoryMb: null,
    error,
    nextDelayMs: null,
  });
  return error;
}
