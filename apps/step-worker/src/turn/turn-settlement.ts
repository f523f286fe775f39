import { isLimited } from '#shared/domain/pipeline';
import { hasStep, NO_STEPS, stepBit, type StepSet } from '#shared/domain/step-set';
import { claimStep, type ClaimOutcome } from '#shared/domain/turn/claim';
import {
  endAttempt,
  type AttemptKey,
  type AttemptResult,
  type Measured,
  type SettleOutcome,
} from '#shared/domain/turn/end-attempt';
import type { JobDraft, Micros } from '#shared/domain/turn/job-draft';
import { handBack } from '#shared/domain/turn/mend';
import type { AttemptSink } from '#shared/domain/usage/step-usage';
import { guardHolds } from '#shared/runtime/failpoints';
import type { Database } from '#shared/store/database';
import { isPassingDatabaseError } from '#shared/store/database-error';
import { FastSettlement, type FastSettle, type FastSettled, type FastStep } from '#shared/store/jobs/fast-settlement';
import { type Applied, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { TurnSlots } from '../keeper/turn-slots';
import type { Incarnation, WorkerLease } from '../lease/worker-lease';
import type { ActiveTurn, CurrentAttempt } from './active-turn';
import type { ActiveTurns } from './active-turns';

/** A turn yields after this long, so that one long job does not keep a slot from others: it publishes its next step. */
const LONGEST_TURN_MS = 10_000;
/** Between two tries of a write while the database is away. */
const TRY_AGAIN_MS = 500;

export interface SettlementDeps {
  readonly database: Database;
  readonly pipelines: PipelineStore;
  readonly lease: WorkerLease;
  readonly turns: ActiveTurns;
  /** Where the keeper thread sees what is not recorded yet. */
  readonly slots?: TurnSlots;
  /** A job that others need has ended: the schedulers tell them. */
  readonly onUntold: () => void;
  /** Called after the commit for each attempt that was recorded. */
  readonly onAttempt?: AttemptSink;
  /** Whether the worker is shutting down; then turns go on to no further step. */
  readonly isDraining: () => boolean;
  /** A flush has recorded that a turn's step runs, and what the turn had completed before it. */
  readonly onRunning: (
    turn: ActiveTurn,
    settled: FastSettled & { kind: 'settled' },
    steps: readonly FastStep[],
  ) => void;
}

/** What turns write: fast ones in groups by one statement, all else as transactions with the rows read. */
export class TurnSettlement {
  private readonly fast: FastSettlement;
  private readonly transactions: JobTransactions;
  /** Fast turns whose current step has no row yet, by lane. */
  private readonly unwritten: Set<ActiveTurn>[] = [new Set(), new Set()];

  constructor(private readonly deps: SettlementDeps) {
    const { onUntold, onAttempt } = deps;
    this.transactions = new JobTransactions(deps.database, deps.pipelines, { onUntold, onAttempt });
    this.fast = new FastSettlement(
      deps.database,
      () => this.deps.lease.current.id,
      (lane) => this.recordRunning(lane),
      onUntold,
    );
  }

  /** A fast turn's step has begun: it is recorded as running unless it ends before the next flush. */
  began(turn: ActiveTurn): void {
    this.laneOf(turn).add(turn);
    this.fast.wake(turn.message.job_id);
  }

  /** The step has ended: nobody needs to know any more that it ran. */
  ended(turn: ActiveTurn): void {
    this.laneOf(turn).delete(turn);
  }

  /** Records what the fast turn has completed, trying again while the database is away. */
  async settleFast(turn: ActiveTurn, pipeline: StoredPipeline): Promise<FastSettled> {
    const steps = turn.unrecorded;
    turn.unrecorded = [];
    const settled = await this.persist(turn, () =>
      this.fast.settle(this.item(turn, pipeline, steps, this.keepable(turn, pipeline))),
    );
    if (settled.kind === 'settled') this.tellAttempts(pipeline, steps);
    return settled;
  }

  /**
   * Takes the turn's next step for an incarnation of this worker.
   * @throws when it is in doubt whether it was taken: redelivery finds out
   */
  claim(turn: ActiveTurn, grantedBy: Incarnation): Promise<Applied<ClaimOutcome> | null> {
    const { job_id: jobId, run, head } = turn.message;
    const { lease, turns } = this.deps;
    return this.transactions.run({
      jobId,
      apply: (draft, { leases, pools }) => {
        // Claimed anew under another lease, or applied again after its batch failed: it does not wait for itself.
        turns.setSuspect(turn, false);
        const outcome = claimStep(draft, {
          run,
          head,
          worker: grantedBy.id,
          isOwn: (worker) => lease.isOwn(worker),
          leases,
          pools,
          knows: (idx) => turns.knows(jobId, idx, turn),
          mayTakeSuspect: () => turns.mayTakeSuspect(),
        });
        if (outcome.kind === 'taken' && outcome.suspectMs > 0) turns.setSuspect(turn, true);
        return outcome;
      },
    });
  }

  /** Records the end of one attempt with its row read, trying again while the database is away. */
  endAttempt(
    turn: ActiveTurn,
    pipeline: StoredPipeline,
    current: CurrentAttempt,
    result: AttemptResult,
    measured: Measured,
  ): Promise<Applied<SettleOutcome> | null> {
    const { job_id: jobId, run, head } = turn.message;
    const worker = current.grantedBy.id;
    const key = { run, head, idx: current.idx, epoch: current.epoch, fast: turn.fast, worker };
    const keepable = this.keepable(turn, pipeline);
    return this.persist(turn, () =>
      this.transactions.run({
        jobId,
        apply: (draft, { pools }) => {
          const timed = byDatabase(measured, draft.now, turn.endedAtMs);
          return endAttempt(draft, fenced(key, draft), result, timed, pools, (idx) => hasStep(keepable, idx));
        },
      }),
    );
  }

  /** Gives a step's row up unfinished, so that another worker can take it at once. */
  async handBack(jobId: string, idx: number, worker: string, epoch: number | null): Promise<boolean> {
    if (!guardHolds('worker.hands_back')) return false;
    const applied = await this.transactions.run({
      jobId,
      apply: (draft, { pools }) => handBack(draft, idx, worker, epoch, pools),
    });
    return applied?.result ?? false;
  }

  async close(): Promise<void> {
    await this.fast.close();
    await this.transactions.close();
  }

  /** Before each flush: what still runs is recorded with it. */
  private recordRunning(lane: number): void {
    const turns = this.unwritten[lane];
    if (!turns || turns.size === 0) return;
    for (const turn of turns) {
      if (turn.pipeline) turn.recording = this.recordNow(turn, turn.pipeline);
    }
    turns.clear();
  }

  /** Records a fast turn's current step as running, with what the turn completed before it. Never rejects. */
  async recordNow(turn: ActiveTurn, pipeline: StoredPipeline): Promise<void> {
    const { current } = turn;
    if (!current) return;
    const steps: FastStep[] = [...turn.unrecorded, { kind: 'running', idx: current.idx, startedAt: turn.startedAt }];
    turn.unrecorded = [];
    turn.recorded = true;
    this.deps.slots?.recorded(turn.slot);
    try {
      const settled = await this.persist(turn, () => this.fast.settle(this.item(turn, pipeline, steps, NO_STEPS)));
      if (settled.kind === 'stale') return this.stopAsStale(turn);
      this.tellAttempts(pipeline, steps);
      this.deps.onRunning(turn, settled, steps);
    } catch {
      this.stopAsStale(turn);
    }
  }

  private tellAttempts({ definition }: StoredPipeline, steps: readonly FastStep[]): void {
    const { onAttempt } = this.deps;
    if (!onAttempt) return;
    for (const step of steps) {
      if (step.kind !== 'completed') continue;
      const { durationMs, cpuPercent, memoryMb } = step;
      const attempt = { outcome: 'completed', retried: null, durationMs, cpuPercent, memoryMb } as const;
      onAttempt(definition.name, definition.steps[step.idx]?.name ?? '', step.finishedAt, attempt);
    }
  }

  private stopAsStale(turn: ActiveTurn): void {
    turn.stale = true;
    turn.abort?.('stale');
  }

  /** Repeats a write until the database answers: work that is done is not done again because of a restart. */
  private async persist<T>(turn: ActiveTurn, write: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        turn.inDoubt = true;
        const mayPass = isPassingDatabaseError(error) && guardHolds('worker.writes_again');
        if (!mayPass || this.deps.isDraining()) throw error;
        await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
      }
    }
  }

  private item(turn: ActiveTurn, pipeline: StoredPipeline, steps: readonly FastStep[], keepable: StepSet): FastSettle {
    const { job_id: jobId, run, head } = turn.message;
    return { jobId, run, head, graph: pipeline.graph, steps, keepable };
  }

  /** Steps of the turn's own queue that need no token, unless the turn should end now. */
  private keepable(turn: ActiveTurn, pipeline: StoredPipeline): StepSet {
    if (turn.cancelled || this.deps.isDraining() || performance.now() - turn.startedAtMs > LONGEST_TURN_MS)
      return NO_STEPS;
    if (!this.deps.lease.current.isValid()) return NO_STEPS;
    return keepableOf(pipeline, turn.message.head);
  }

  private laneOf(turn: ActiveTurn): Set<ActiveTurn> {
    const lane = this.unwritten[this.fast.laneOf(turn.message.job_id)];
    if (!lane) throw new Error('no lane');
    return lane;
  }
}

/** What the settlement believes; without the guard, whatever the row says. */
function fenced(key: AttemptKey, draft: JobDraft): AttemptKey {
  if (guardHolds('worker.settle_is_fenced')) return key;
  const row = draft.rows.get(key.idx);
  return { ...key, fast: key.fast && !row, epoch: row?.epoch ?? key.epoch };
}

/**
 * The attempt's times by the database's clock, which the transaction has just read; ours may be some milliseconds off.
 * Its end is never too late: a back-off counts from it, and would end after this worker has waited it out.
 */
function byDatabase(measured: Measured, now: Micros, endedAtMs: number): Measured {
  const finishedAt = Math.round(now - (performance.now() - endedAtMs) * 1_000);
  return { ...measured, startedAt: finishedAt - Math.round(measured.durationMs * 1_000), finishedAt };
}

const keepableSteps = new WeakMap<StoredPipeline, Map<number, StepSet>>();

/** The unlimited steps of the head's queue; worked out once for each head. */
function keepableOf(pipeline: StoredPipeline, head: number): StepSet {
  const byHead = keepableSteps.get(pipeline) ?? new Map<number, StepSet>();
  keepableSteps.set(pipeline, byHead);
  const { steps } = pipeline.definition;
  const queue = steps[head]?.queue;
  const found =
    byHead.get(head) ??
    steps.reduce((set, step, idx) => (step.queue === queue && !isLimited(step) ? set | stepBit(idx) : set), NO_STEPS);
  byHead.set(head, found);
  return found;
}
