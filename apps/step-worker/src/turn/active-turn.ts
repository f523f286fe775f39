import type { Delivery } from '#shared/bus/work-consumer';
import type { WorkMessage } from '#shared/contracts/work-message';
import type { Json } from '#shared/domain/json';
import { NO_STEPS, type StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { NO_SLOT } from '../keeper/turn-slots';
import type { Incarnation } from '../lease/worker-lease';
import type { StopReason } from './step-execution';

/** The attempt that a turn is at. */
export interface CurrentAttempt {
  readonly idx: number;
  readonly epoch: number;
  readonly attempt: number;
  /** Who granted the begin; it must still be the worker's incarnation when the handler starts. */
  readonly grantedBy: Incarnation;
}

/** A job's turn while this worker has it. */
export class ActiveTurn {
  /** Nothing was read for it yet: its steps are at the epoch that no row implies. */
  fast: boolean;
  pipeline: StoredPipeline | undefined;
  current: CurrentAttempt | undefined;
  startedAt: Micros = 0;
  /** `performance.now()` when the current attempt ended. */
  endedAtMs = 0;
  /** Aborts what runs. */
  abort: ((reason: StopReason) => void) | undefined;
  /** Completed by this turn and not yet recorded. */
  unrecorded: FastStep[] = [];
  /** The recording of the current step as running, while it is under way. */
  recording: Promise<void> | undefined;
  /** Whether the current step's row says that it runs. */
  recorded = false;
  /** Somebody else owns the job's step by now: nothing of this turn is recorded any more. */
  stale = false;
  /** The job is being cancelled: nothing of it begins any more. */
  cancelled = false;
  /** A write of this turn may or may not have been committed: nothing found afterwards is surprising. */
  inDoubt = false;
  /** Whether the current step has crashed a worker before. */
  suspect = false;
  readonly startedAtMs = performance.now();
  lastSignOfWorkMs = performance.now();
  /** Outputs known to this turn, by step name. */
  readonly outputs = new Map<string, Json>();
  /** Where the keeper thread sees it. */
  slot = NO_SLOT;
  /** Steps whose start has been told already. */
  shown: StepSet = NO_STEPS;

  constructor(
    readonly message: WorkMessage,
    readonly delivery: Delivery,
    readonly deliveredUnder: Incarnation,
  ) {
    this.fast = false;
    this.forget();
  }

  /** What it has done may not be what is recorded: it knows no more than its message said. */
  forget(): void {
    this.unrecorded = [];
    this.outputs.clear();
    for (const [step, output] of Object.entries(this.message.data?.outputs ?? {})) this.outputs.set(step, output);
  }

  /** Begins nothing any more, and stops what runs. */
  cancel(): void {
    this.cancelled = true;
    this.abort?.('cancelled');
  }

  get key(): string {
    return turnKey(this.message);
  }
}

/** One turn per head: a second copy is handed back while the first is at work. */
export const turnKey = (message: Pick<WorkMessage, 'job_id' | 'run' | 'head'>): string =>
  `${message.job_id}:${message.run}:${message.head}`;
