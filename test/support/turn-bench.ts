import type { Delivery } from '#shared/bus/work-consumer';
import type { WorkMessage } from '#shared/contracts/work-message';
import { pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { type StepSet, stepsIn } from '#shared/domain/step-set';
import type { ClaimOutcome } from '#shared/domain/turn/claim';
import type { AttemptResult, SettleOutcome } from '#shared/domain/turn/end-attempt';
import type { Logger } from '#shared/runtime/logger';
import type { FastSettled } from '#shared/store/jobs/fast-settlement';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { draftOf, MEASURED, pipelineOf, stepNamed } from './drafts';
import type { CancelledJobs } from '../../apps/step-worker/src/cancel/cancelled-jobs';
import type { DatabaseClock } from '../../apps/step-worker/src/lease/database-clock';
import { Incarnation, type WorkerLease } from '../../apps/step-worker/src/lease/worker-lease';
import type { TurnReporter } from '../../apps/step-worker/src/reports/turn-reporter';
import type { ActiveTurn, CurrentAttempt } from '../../apps/step-worker/src/turn/active-turn';
import { ActiveTurns } from '../../apps/step-worker/src/turn/active-turns';
import type { AttemptRunner } from '../../apps/step-worker/src/turn/attempt-runner';
import type { OpenedSteps } from '../../apps/step-worker/src/turn/opened-steps';
import type { AttemptEnd } from '../../apps/step-worker/src/turn/step-execution';
import { type Rest, TurnRunner } from '../../apps/step-worker/src/turn/turn-runner';
import type { TurnSettlement } from '../../apps/step-worker/src/turn/turn-settlement';

export const JOB = '0190a0b0-0000-7000-8000-000000000001';
export const HORIZON = 1_000;
export const CHAIN = [stepNamed('a'), stepNamed('b', { needs: ['a'] }), stepNamed('c', { needs: ['b'] })];
export const DONE: AttemptEnd = { kind: 'completed', output: {} };
type Settled = FastSettled & { kind: 'settled' };

/** A fast settlement that went well. */
export const settled = (over: Partial<Settled> = {}): Settled => ({
  ...{
    kind: 'settled',
    status: 'running',
    statusBefore: 'pending',
    version: 2,
    opened: 0n,
    kept: null,
    dispatchedAt: 5,
  },
  ...over,
});

/** A worker whose database says what the test wants; `story` is what it did, in order. */
export class TurnBench {
  readonly story: string[] = [];
  readonly turns = new ActiveTurns();
  lease = new Incarnation('me-1', HORIZON, Infinity);
  draining = false;
  /** Back-offs that this worker waits out already. */
  resting = 0;
  /** What the last delivery has to wait for; null: it was ended. */
  rest: Rest | null = null;
  /** Whether the worker knows that the job was cancelled. */
  knownCancelled = false;
  repeatable = true;
  claims: ClaimOutcome[] = [];
  ends: AttemptEnd[] = [];
  settles: (FastSettled | Error)[] = [];
  readSettles: (SettleOutcome | Error)[] = [];
  /** Called while a handler runs. */
  during: (turn: ActiveTurn) => unknown = () => undefined;
  /** Called while opened steps are published. */
  duringPublish: () => unknown = () => undefined;
  readonly runner: TurnRunner;
  private delivery: Delivery | undefined;
  private readonly pipeline: StoredPipeline;

  constructor(readonly steps: StepDefinition[] = CHAIN) {
    const definition = pipelineOf(steps);
    this.pipeline = { hash: 'h', definition, graph: pipelineGraph(steps) };
    this.runner = new TurnRunner({
      pipelines: {
        peek: (hash: string) => (hash === 'h' ? this.pipeline : undefined),
        find: async () => null,
      } as unknown as PipelineStore,
      lease: Object.defineProperty({ workersAlive: 1 }, 'current', { get: () => this.lease }) as WorkerLease,
      clock: { now: () => 7 } as DatabaseClock,
      turns: this.turns,
      settlement: this.settlement(),
      attempts: {
        isRepeatable: () => this.repeatable,
        run: async (turn: ActiveTurn, _: unknown, { idx, epoch }: CurrentAttempt) => {
          this.story.push(`run ${idx}@${epoch}`);
          this.during(turn);
          turn.endedAtMs = performance.now();
          return { ...(this.ends.shift() ?? DONE), measured: MEASURED };
        },
      } as unknown as AttemptRunner,
      opened: {
        publish: async (_: unknown, __: unknown, opened: StepSet) => {
          if (opened === 0n) return;
          this.story.push(`publish ${stepsIn(opened).join()}`);
          this.duringPublish();
        },
      } as unknown as OpenedSteps,
      reporter: new Proxy({}, { get: () => () => ({}) }) as TurnReporter,
      isDraining: () => this.draining,
      cancelled: { has: () => this.knownCancelled } as unknown as CancelledJobs,
      restLimits: () => ({ resting: this.resting, workersAlive: 1, longestMs: 15_000 }),
      onRetryDueSoon: () => this.story.push('wake the scheduler'),
      onTokensFree: () => this.story.push('tokens free'),
      onCancelledEnd: () => this.story.push('look again'),
      log: new Proxy({}, { get: () => () => undefined }) as Logger,
    });
  }

  /** Takes a delivery and tells how it ended. */
  async take(message: Partial<WorkMessage> | string = {}, deliveryCount = 1): Promise<string[]> {
    const whole = { job_id: JOB, run: 1, head: 0, at: HORIZON + 1, read: false, pipeline_hash: 'h' };
    const text = typeof message === 'string' ? message : JSON.stringify({ ...whole, ...message });
    const say = (word: string) => (): void => void this.story.push(word);
    const delivery: Delivery = {
      ...{
        queue: 'default',
        priority: 'default',
        data: Buffer.from(text),
        text: () => text,
        deliveryCount,
        streamSeq: 1,
        forgetData: () => undefined,
        reply: '$JS.ACK',
        store: 0,
      },
      ...{ ack: say('ack'), working: say('working'), term: say('term') },
      nak: (delayMs) => void this.story.push(delayMs === undefined ? 'nak' : `nak ${delayMs}`),
    };
    this.rest = await this.runner.take(delivery);
    this.delivery = delivery;
    return this.story.splice(0);
  }

  /** Goes on with the delivery that rests. */
  async resume(): Promise<string[]> {
    if (!this.delivery || !this.rest) throw new Error('nothing rests');
    this.rest = await this.runner.resume(this.delivery, this.rest);
    return this.story.splice(0);
  }

  private settlement(): TurnSettlement {
    const applied = <T>(result: T): object => ({ result, draft: draftOf(), statusBefore: 'running' });
    return {
      ended: () => undefined,
      claim: async () => {
        this.story.push('claim');
        return applied(this.claims.shift() ?? { kind: 'nothing' });
      },
      settleFast: async (turn: ActiveTurn) => {
        this.story.push(`settle ${turn.unrecorded.map((step) => step.idx).join()}`);
        turn.unrecorded = [];
        const result = this.settles.shift() ?? settled();
        if (result instanceof Error) throw result;
        return result;
      },
      endAttempt: async (_: unknown, __: unknown, { idx, epoch }: CurrentAttempt, result: AttemptResult) => {
        this.story.push(`end ${idx}@${epoch} ${result.kind}`);
        const retry = result.kind === 'failed' ? result.retry(0) : null;
        const outcome = this.readSettles.shift() ?? { kind: 'settled', kept: null, retry };
        if (outcome instanceof Error) throw outcome;
        return applied(outcome);
      },
      recordNow: async (turn: ActiveTurn) => {
        this.story.push(`record ${[...turn.unrecorded.map((step) => step.idx), turn.current?.idx].join()}`);
        turn.unrecorded = [];
      },
      handBack: async (_: string, idx: number, worker: string, epoch: number) => {
        this.story.push(`hand back ${idx}@${epoch} of ${worker}`);
        return true;
      },
    } as unknown as TurnSettlement;
  }
}

export const taken = (idx: number, epoch: number): ClaimOutcome => ({
  kind: 'taken',
  idx,
  epoch,
  attempt: 1,
  suspectMs: 0,
});
