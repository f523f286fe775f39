import type { Delivery } from '#shared/bus/work-consumer';
import { workMessage, type WorkMessage } from '#shared/contracts/work-message';
import { isLimited } from '#shared/domain/pipeline';
import { isSubset, NO_STEPS, stepBit, stepsIn } from '#shared/domain/step-set';
import type { AttemptResult, Measured } from '#shared/domain/turn/end-attempt';
import type { StepError } from '#shared/domain/turn/job-draft';
import { failpoint, guardHolds } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import { isPassingDatabaseError } from '#shared/store/database-error';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { CancelledJobs } from '../cancel/cancelled-jobs';
import type { WorkerLease } from '../lease/worker-lease';
import type { DatabaseClock } from '../lease/database-clock';
import type { TurnReporter } from '../reports/turn-reporter';
import { ActiveTurn, type CurrentAttempt } from './active-turn';
import type { ActiveTurns } from './active-turns';
import type { AttemptRunner } from './attempt-runner';
import type { OpenedSteps } from './opened-steps';
import { decideRetry, type RestLimits } from './retry-policy';
import type { AttemptEnd } from './step-execution';
import { endTurn, suspectDelayMs, troubleDelayMs, type TurnEnding } from './turn-ending';
import type { TurnSettlement } from './turn-settlement';

export interface TurnRunnerDeps {
  readonly pipelines: PipelineStore;
  readonly lease: WorkerLease;
  readonly clock: DatabaseClock;
  readonly turns: ActiveTurns;
  readonly cancelled: CancelledJobs;
  readonly settlement: TurnSettlement;
  readonly attempts: AttemptRunner;
  readonly opened: OpenedSteps;
  readonly reporter: TurnReporter;
  readonly isDraining: () => boolean;
  /** What back-offs the worker may wait out itself just now. */
  readonly restLimits: () => RestLimits;
  /** A back-off was left to the scheduler that ends before it looks again. */
  readonly onRetryDueSoon: () => void;
  /** A step has given its tokens back: parked ones may have them. */
  readonly onTokensFree: () => void;
  /** A turn of a job that is being cancelled has ended. */
  readonly onCancelledEnd: () => void;
  readonly log: Logger;
}

/** A turn whose step is in a back-off that the worker waits out itself. */
export interface Rest {
  readonly delayMs: number;
  /** To be read when it goes on. */
  readonly message: WorkMessage;
}

type Ended = AttemptEnd & { readonly measured: Measured };

const DONE: TurnEnding = { kind: 'done' };
/** The scheduler looks once a second for what it does not know of. */
const SOON_MS = 2_000;
/** Larger data are read again when a rest is over: there may be thousands of rests. */
const MOST_KEPT_BYTES = 4_096;
/** Another copy of a turn that is at work here. */
const COPY_DELAY_MS = 1_000;
/** The lease was lost; a new one is being asked for. */
const NO_LEASE_DELAY_MS = 250;

/**
 * Takes a job's turn from its delivery to its ack: claim or begin unread, run, settle, go on with a step that became
 * ready, publish the others, end. Nothing is acked before what it stands for is committed.
 */
export class TurnRunner {
  private garbage = 0;

  constructor(private readonly deps: TurnRunnerDeps) {}

  /** Resolves when the delivery has been ended (null), or rests. Never rejects. */
  async take(delivery: Delivery): Promise<Rest | null> {
    const message = parse(delivery.data);
    if (!message) {
      this.garbage += 1;
      const { queue, priority, streamSeq } = delivery;
      this.deps.log.warn({ queue, priority, stream_seq: streamSeq, so_far: this.garbage }, 'not a turn: terminated');
      endTurn(delivery, guardHolds('worker.terminates_garbage') ? { kind: 'garbage' } : { kind: 'handed_back' });
      return null;
    }
    if (!guardHolds('worker.acks_after_commit')) delivery.ack();
    return this.go(delivery, message);
  }

  /** The rest is over: goes on with the turn, as `take` does. */
  resume(delivery: Delivery, { message }: Rest): Promise<Rest | null> {
    return this.go(delivery, message);
  }

  private async go(delivery: Delivery, message: WorkMessage): Promise<Rest | null> {
    const ending = await this.end(new ActiveTurn(message, delivery, this.deps.lease.current));
    const data = delivery.data.length > MOST_KEPT_BYTES ? undefined : message.data;
    endTurn(delivery, ending);
    return ending.kind === 'rest' ? { delayMs: ending.delayMs, message: { ...message, read: true, data } } : null;
  }

  private async end(turn: ActiveTurn): Promise<TurnEnding> {
    const { turns, settlement, log } = this.deps;
    if (this.deps.isDraining()) return { kind: 'handed_back' };
    if (!turns.add(turn)) return { kind: 'later', delayMs: COPY_DELAY_MS };
    const { job_id: jobId, run } = turn.message;
    turn.cancelled = this.deps.cancelled.has(jobId, run);
    try {
      return await this.run(turn);
    } catch (error) {
      const delayMs = troubleDelayMs(turn.delivery.deliveryCount);
      const details = { err: error, job: turn.message.job_id, again_in_ms: delayMs };
      if (isPassingDatabaseError(error)) log.warn(details, 'a turn waits for the database');
      else log.error(details, 'a turn could not be recorded');
      return { kind: 'later', delayMs };
    } finally {
      settlement.ended(turn);
      turns.setSuspect(turn, false);
      turns.delete(turn);
      turns.wakeWaiter();
      if (turn.cancelled) this.deps.onCancelledEnd();
    }
  }

  private async run(turn: ActiveTurn): Promise<TurnEnding> {
    const { pipelines } = this.deps;
    const { pipeline_hash: hash, head } = turn.message;
    const pipeline = pipelines.peek(hash) ?? (await pipelines.find(hash));
    // Definitions are stored before their jobs: this job was deleted, or is of another database.
    if (!pipeline?.definition.steps[head]) return DONE;
    turn.pipeline = pipeline;
    if (this.isUnread(turn, pipeline)) {
      turn.fast = true;
      turn.current = { idx: head, epoch: 1, attempt: 1, grantedBy: turn.deliveredUnder };
    }
    for (;;) {
      if (!turn.current || !this.mayBegin(turn, turn.current)) {
        const ending = await this.claim(turn, pipeline);
        if (ending) return ending;
        continue;
      }
      const ended = await this.deps.attempts.run(turn, pipeline, turn.current);
      const ending = await this.settle(turn, pipeline, turn.current, ended);
      if (ending) return ending;
    }
  }

  /** A first delivery of an opening that this incarnation cannot have missed anything about. */
  private isUnread({ message, delivery, deliveredUnder }: ActiveTurn, pipeline: StoredPipeline): boolean {
    const step = pipeline.definition.steps[message.head];
    return (
      (delivery.deliveryCount === 1 || !guardHolds('worker.redelivery_reads')) &&
      !message.read &&
      message.run === 1 &&
      message.at > deliveredUnder.horizon &&
      step !== undefined &&
      !isLimited(step)
    );
  }

  /** The lease under which the begin was granted must be unbroken, and the job not cancelled. */
  private mayBegin(turn: ActiveTurn, current: CurrentAttempt): boolean {
    const { grantedBy } = current;
    const isGranted = grantedBy === this.deps.lease.current && grantedBy.isValid();
    return !turn.cancelled && (isGranted || !guardHolds('worker.lease_at_begin'));
  }

  private async claim(turn: ActiveTurn, pipeline: StoredPipeline): Promise<TurnEnding | null> {
    const { lease, settlement, reporter, turns } = this.deps;
    if (turn.cancelled) return DONE;
    if (this.deps.isDraining()) return { kind: 'handed_back' };
    turn.fast = false;
    turn.current = undefined;
    turn.recorded = false;
    const grantedBy = lease.current;
    // A claim under a lease that is over would be taken for a crash by the next one.
    if (!grantedBy.isValid()) return { kind: 'later', delayMs: NO_LEASE_DELAY_MS };
    const applied = await settlement.claim(turn, grantedBy);
    if (!applied) return DONE;
    const { result, draft } = applied;
    switch (result.kind) {
      case 'nothing':
        // Parked: there was no token.
        if (draft.changed) reporter.changed(draft, pipeline, applied.statusBefore, [], null);
        return DONE;
      case 'later':
        return { kind: 'later', delayMs: result.delayMs };
      case 'suspect_waits':
        // A few wait here for their turn; a crowd, as a worker leaves behind that had hundreds of slots, comes back.
        if (await turns.waitForSuspect()) return null;
        return { kind: 'later', delayMs: suspectDelayMs(turn.delivery.deliveryCount) };
      case 'quarantined':
        this.deps.log.error(
          { job: draft.job.id, step: draft.step(result.idx).name },
          'the step has killed its worker three times: it has failed for good',
        );
        reporter.changed(draft, pipeline, applied.statusBefore, reporter.settled(draft, result.idx, null), null);
        return DONE;
      case 'taken': {
        const { idx, epoch, attempt, suspectMs } = result;
        failpoint('worker.claimed', draft.job.id, idx, epoch);
        turn.current = { idx, epoch, attempt, grantedBy };
        if (suspectMs > 0) this.clearLater(turn, turn.current, suspectMs);
        turn.recorded = true;
        reporter.changed(draft, pipeline, applied.statusBefore, [reporter.started(draft, idx, attempt)], null);
        return null;
      }
    }
  }

  /** A step that has run for longer than when its worker died is no suspect any more: others need not wait for its end. */
  private clearLater(turn: ActiveTurn, current: CurrentAttempt, suspectMs: number): void {
    const { turns } = this.deps;
    setTimeout(() => {
      if (turn.current !== current) return;
      turns.setSuspect(turn, false);
      turns.wakeWaiter();
    }, suspectMs).unref();
  }

  /** Records how the attempt ended. @returns how the turn ends, or null: it goes on with `turn.current` */
  private async settle(
    turn: ActiveTurn,
    pipeline: StoredPipeline,
    current: CurrentAttempt,
    ended: Ended,
  ): Promise<TurnEnding | null> {
    failpoint('worker.attempt_ended', turn.message.job_id, current.idx, current.epoch);
    this.deps.settlement.ended(turn);
    await turn.recording;
    turn.recording = undefined;
    if (turn.stale) return this.staleEnding(turn);
    if (ended.kind === 'stopped') {
      if (ended.reason !== 'cancelled') return this.handBack(turn, pipeline, current);
      return this.settleRead(turn, pipeline, current, { kind: 'cancelled' }, ended.measured);
    }
    if (turn.fast && ended.kind === 'completed') {
      const { output, measured } = ended;
      turn.unrecorded.push({ kind: 'completed', idx: current.idx, output, ...measured });
      return this.runsOn(turn, pipeline, current) ? null : this.settleFast(turn, pipeline);
    }
    const result = this.resultOf(pipeline.definition.steps[current.idx], ended);
    return this.settleRead(turn, pipeline, current, result, ended.measured);
  }

  /**
   * Goes on to a step whose needs this turn itself has completed, before they are recorded: only where running any of
   * them again gives the same and changes nothing (`repeatable`). @returns whether it does; then `turn.current` is next
   */
  private runsOn(turn: ActiveTurn, pipeline: StoredPipeline, current: CurrentAttempt): boolean {
    const { attempts, lease } = this.deps;
    if (turn.cancelled || turn.recorded || this.deps.isDraining() || !attempts.isRepeatable(pipeline, current.idx))
      return false;
    if (turn.deliveredUnder !== lease.current || !turn.deliveredUnder.isValid()) return false;
    const own = turn.unrecorded.reduce((set, step) => set | stepBit(step.idx), NO_STEPS);
    const ready = stepsIn(pipeline.graph.all & ~own).filter((idx) => {
      const needs = pipeline.graph.needs[idx] ?? NO_STEPS;
      return needs !== NO_STEPS && isSubset(needs, own);
    });
    const [next] = ready;
    // Several are branches: they are recorded and published, so that they run side by side.
    if (next === undefined || ready.length > 1) return false;
    const step = pipeline.definition.steps[next];
    const queue = pipeline.definition.steps[turn.message.head]?.queue;
    if (!step || step.queue !== queue || isLimited(step) || !attempts.isRepeatable(pipeline, next)) return false;
    turn.current = { idx: next, epoch: 1, attempt: 1, grantedBy: turn.deliveredUnder };
    return true;
  }

  private async settleFast(turn: ActiveTurn, pipeline: StoredPipeline): Promise<TurnEnding | null> {
    const { settlement, lease, opened, reporter } = this.deps;
    const grantedBy = lease.current;
    const steps = turn.unrecorded;
    const settled = await settlement.settleFast(turn, pipeline);
    if (settled.kind === 'stale') return this.staleEnding(turn);
    failpoint('worker.settled', turn.message.job_id, steps[0]?.idx);
    reporter.fastSettled(turn.message.job_id, pipeline, settled, steps, turn.shown);
    turn.shown = NO_STEPS;
    await opened.publish(turn, pipeline, settled.opened, settled.dispatchedAt);
    failpoint('worker.published', turn.message.job_id);
    if (settled.kept === null) return DONE;
    turn.current = { idx: settled.kept, epoch: 1, attempt: 1, grantedBy };
    turn.recorded = true;
    turn.shown = stepBit(settled.kept);
    return null;
  }

  private async settleRead(
    turn: ActiveTurn,
    pipeline: StoredPipeline,
    current: CurrentAttempt,
    attempted: AttemptResult,
    measured: Measured,
  ): Promise<TurnEnding | null> {
    const { settlement, lease, opened, reporter, clock } = this.deps;
    if (turn.fast && turn.unrecorded.length > 0) {
      await settlement.recordNow(turn, pipeline);
      if (turn.stale) return this.staleEnding(turn);
    }
    const step = pipeline.definition.steps[current.idx];
    const grantedBy = lease.current;
    const applied = await settlement.endAttempt(turn, pipeline, current, attempted, measured);
    if (!applied) return DONE;
    const { result, draft } = applied;
    if (result.kind === 'stale') return this.staleEnding(turn);
    failpoint('worker.settled', draft.job.id, current.idx, current.epoch);
    const { kept, retry } = result;
    const keptIdx = kept?.idx ?? null;
    reporter.changed(draft, pipeline, applied.statusBefore, reporter.settled(draft, current.idx, retry), keptIdx);
    if (attempted.kind === 'failed') this.logFailure(turn, step?.name ?? '', current, attempted.error);
    if (step && isLimited(step)) this.deps.onTokensFree();
    await opened.publish(turn, pipeline, draft.opened, draft.job.dispatchedAt ?? clock.now());
    failpoint('worker.published', draft.job.id);
    if (retry?.kind === 'retry') {
      if (!retry.viaScheduler) return { kind: 'rest', delayMs: restMs(turn, retry.delayMs) };
      if (retry.delayMs < SOON_MS) this.deps.onRetryDueSoon();
    }
    if (!kept) return DONE;
    this.deps.turns.setSuspect(turn, false);
    turn.current = { ...kept, grantedBy };
    turn.recorded = true;
    turn.shown = stepBit(kept.idx);
    return null;
  }

  private resultOf(
    step: StoredPipeline['definition']['steps'][number] | undefined,
    ended: Exclude<Ended, { kind: 'stopped' }>,
  ): AttemptResult {
    if (ended.kind === 'completed') return { kind: 'completed', output: ended.output };
    const { outcome, error, leastMs } = ended;
    const retry = (retryCount: number) =>
      step ? decideRetry(step, error, retryCount, leastMs, this.deps.restLimits()) : { kind: 'final' as const };
    return { kind: 'failed', outcome, error, retry };
  }

  /** Stopped by the drain: another worker can take it at once, and no attempt is burnt. */
  private async handBack(turn: ActiveTurn, pipeline: StoredPipeline, current: CurrentAttempt): Promise<TurnEnding> {
    const { settlement, opened } = this.deps;
    if (turn.recorded) {
      await settlement.handBack(turn.message.job_id, current.idx, current.grantedBy.id, current.epoch);
    } else if (turn.unrecorded.length > 0) {
      const settled = await settlement.settleFast(turn, pipeline);
      if (settled.kind === 'settled') await opened.publish(turn, pipeline, settled.opened, settled.dispatchedAt);
      return DONE;
    }
    return { kind: 'handed_back' };
  }

  /** Nothing of this turn counts any more; unless a write was in doubt: then the rows are asked what became of it. */
  private async staleEnding(turn: ActiveTurn): Promise<TurnEnding | null> {
    if (!turn.inDoubt) {
      this.deps.log.debug({ job: turn.message.job_id }, 'stale: somebody else owns this turn by now');
      return DONE;
    }
    turn.stale = false;
    turn.inDoubt = false;
    turn.forget();
    turn.fast = false;
    turn.current = undefined;
    return null;
  }

  private logFailure(turn: ActiveTurn, step: string, current: CurrentAttempt, error: StepError): void {
    const { job_id: job } = turn.message;
    const { message, kind, code } = error;
    this.deps.log.warn({ job, step, attempt: current.attempt, kind, code, error: message }, 'an attempt failed');
  }
}

/** What is left of a back-off that counts from the end of the attempt; timers may be a millisecond early. */
const restMs = ({ endedAtMs }: ActiveTurn, delayMs: number): number =>
  Math.max(1, Math.ceil(endedAtMs + delayMs - performance.now()) + 1);

function parse(data: Uint8Array): WorkMessage | null {
  try {
    const parsed = workMessage.safeParse(
      JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString()),
    );
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
