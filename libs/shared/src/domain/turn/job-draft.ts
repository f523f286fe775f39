import type { Json } from '#shared/domain/json';
import type { PipelineDefinition, PipelineGraph } from '#shared/domain/pipeline';
import type { JobStatus, Outcome, Priority, StepRowStatus } from '#shared/domain/status';
import { hasStep, NO_STEPS, stepBit, stepsIn, type StepSet } from '#shared/domain/step-set';
import { type JobHold, noHold } from '#shared/domain/turn/job-hold';
import { type JobEvent, jobTransition, type StepEvent, stepTransition } from '#shared/domain/transitions';

/** Microseconds since 1970 by the database's clock. */
export type Micros = number;

/** What went wrong with an attempt. */
export interface StepError {
  readonly message: string;
  readonly kind: 'transient' | 'permanent' | 'timeout' | 'crashed' | 'cancelled';
  readonly code: string | null;
}

/** A step that has begun, as its row says. */
export interface StepRow {
  readonly idx: number;
  status: StepRowStatus;
  /** Begins granted. Never falls, not even in a new run. */
  epoch: number;
  /** Attempts that have ended. */
  attempts: number;
  worker: string | null;
  /** Head of the message that carries the step. */
  turn: number;
  retryCount: number;
  crashes: number;
  nextRetryAt: Micros | null;
  /** In a back-off that the scheduler ends, not a redelivery. */
  awaitsScheduler: boolean;
  /** Whether it has its tokens. */
  held: boolean;
  /** The pool that had no room for it, while it is parked. */
  waitsFor: string | null;
  startedAt: Micros | null;
  completedAt: Micros | null;
  durationMs: number | null;
  cpuPercent: number | null;
  memoryMb: number | null;
  lastError: JobError | null;
  /** Set only by the change that completes it; otherwise what is stored stays. */
  output?: Json;
}

/** An attempt that has ended. */
export interface AttemptRecord {
  readonly idx: number;
  readonly epoch: number;
  readonly number: number;
  readonly worker: string | null;
  readonly outcome: Outcome;
  readonly startedAt: Micros;
  readonly finishedAt: Micros;
  readonly durationMs: number | null;
  readonly cpuPercent: number | null;
  readonly memoryMb: number | null;
  readonly error: StepError | null;
  readonly nextDelayMs: number | null;
}

/** A step that has failed for good, to be kept until it is run again. */
export interface DeadLetter {
  readonly idx: number;
  readonly error: StepError;
  /** How many attempts it had. */
  readonly attempts: number;
}

/** Why a job has failed as a whole, as it is stored. */
export type JobError = StepError & { readonly at: string; readonly attempt: number };

/** Token pools as the transaction has locked them: `used` is what the commit will write. */
export type Pools = Map<string, { used: number; readonly max: number }>;

export interface JobFields {
  readonly id: string;
  readonly priority: Priority;
  run: number;
  status: JobStatus;
  done: StepSet;
  dead: StepSet;
  open: StepSet;
  slow: StepSet;
  version: number;
  dispatchedAt: Micros | null;
  startedAt: Micros | null;
  completedAt: Micros | null;
}

/**
 * A job's state inside the transaction that has locked its row. The rules of the protocol change it here, one after
 * another, and the transaction writes what changed. Nothing else sets a status.
 */
export class JobDraft {
  readonly rows: Map<number, StepRow>;
  readonly changedRows = new Set<number>();
  readonly attempts: AttemptRecord[] = [];
  readonly deadLetters: DeadLetter[] = [];
  /** Steps that run again: what was kept of their failures goes. */
  redriven: StepSet = NO_STEPS;
  /** Steps that have been opened or mended and now need a message, and those whose tokens came free. */
  opened: StepSet = NO_STEPS;
  /** Steps that have died of another's end. */
  buried: StepSet = NO_STEPS;
  /** Why it has failed without any of its steps. */
  error: JobError | null = null;
  /** It has been given another time: what was asked for, in seconds from now; null for a named time. */
  rescheduled: { readonly countdown: number | null } | null = null;
  changed = false;

  constructor(
    readonly job: JobFields,
    rows: Iterable<StepRow>,
    readonly pipeline: PipelineDefinition,
    readonly graph: PipelineGraph,
    /** The database's time of the transaction. */
    readonly now: Micros,
    readonly hold: JobHold = noHold(),
  ) {
    this.rows = new Map(Array.from(rows, (row) => [row.idx, row]));
  }

  /** Moves the job. @returns false, and nothing changes, when the table forbids it */
  move(event: JobEvent): boolean {
    const next = jobTransition(this.job.status, event);
    if (next === null) return false;
    this.job.status = next;
    this.changed = true;
    return true;
  }

  /** Moves a step's row, made if there is none. @throws when the table forbids it: callers have checked */
  moveStep(idx: number, event: StepEvent): StepRow {
    const existing = this.rows.get(idx);
    const next = stepTransition(existing?.status ?? 'none', event);
    if (next === null)
      throw new Error(`job ${this.job.id} step ${idx}: ${existing?.status ?? 'none'} forbids ${event}`);
    const row = existing ?? newRow(idx);
    row.status = next;
    if (next !== 'parked') row.waitsFor = null;
    this.rows.set(idx, row);
    this.changedRows.add(idx);
    this.changed = true;
    return row;
  }

  /** None of its steps has ever begun. */
  get isUntouched(): boolean {
    return this.rows.size === 0 && this.job.done === NO_STEPS;
  }

  isOpen(idx: number): boolean {
    return hasStep(this.job.open, idx);
  }

  /** Hands steps out: each needs a message, sent after the commit. */
  openSteps(steps: StepSet): void {
    if (steps === NO_STEPS) return;
    this.job.open |= steps;
    this.job.dispatchedAt = this.now;
    this.opened |= steps;
    this.changed = true;
  }

  markSlow(idx: number): void {
    this.job.slow |= stepBit(idx);
  }

  /** Ends the job when nothing is open any more, or says that it has begun. */
  updateStatus(): void {
    const { job, graph } = this;
    if (job.open === NO_STEPS) {
      const ended = job.done === graph.all ? 'complete' : (job.done | job.dead) === graph.all ? 'fail' : null;
      // A cancelling job does not fail: it becomes cancelled once every worker has acknowledged that.
      if (ended !== null && this.move(ended)) {
        job.completedAt = this.now;
        return;
      }
    }
    if (job.status === 'pending') this.move('begin');
  }

  /** A step's definition. @throws RangeError for an index outside the pipeline */
  step(idx: number): PipelineDefinition['steps'][number] {
    const step = this.pipeline.steps[idx];
    if (!step) throw new RangeError(`job ${this.job.id}: pipeline ${this.pipeline.name} has no step ${idx}`);
    return step;
  }

  /** Row statuses of the open steps, for messages to the operator. */
  openRows(): StepRow[] {
    return stepsIn(this.job.open).flatMap((idx) => this.rows.get(idx) ?? []);
  }
}

export function newRow(idx: number): StepRow {
  return {
    idx,
    status: 'queued',
    epoch: 1,
    attempts: 0,
    worker: null,
    turn: idx,
    retryCount: 0,
    crashes: 0,
    nextRetryAt: null,
    awaitsScheduler: false,
    held: false,
    waitsFor: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    cpuPercent: null,
    memoryMb: null,
    lastError: null,
  };
}

/** ISO 8601 with milliseconds, of a database time. */
export const isoOf = (micros: Micros): string => new Date(Math.floor(micros / 1_000)).toISOString();
