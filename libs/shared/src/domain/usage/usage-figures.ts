import type { JobStatus } from '#shared/domain/status';
import type { Sketch } from '#shared/domain/usage/sketch';
import type { StepUsage } from '#shared/domain/usage/step-usage';

/** What a span of time came to, by pipeline and step. */
export interface UsageFigures {
  readonly steps: readonly { readonly pipeline: string; readonly step: string; readonly usage: StepUsage }[];
  /** Jobs that ended, by how they did. One that ended, was retried and ended again is two. */
  readonly jobs: readonly {
    readonly pipeline: string;
    readonly status: JobStatus;
    readonly jobs: number;
    /** From start to end, of those that had begun. */
    readonly durationMs: Sketch;
  }[];
  /** From when a job could begin until its first step did, of jobs that began. */
  readonly waits: readonly { readonly pipeline: string; readonly waitMs: Sketch }[];
  /** How late delayed and recurring jobs were handed out. */
  readonly latenessSeconds: Sketch;
}

/** What is kept of the past: the last while, and all of it, which is never less than it was. */
export interface Usage {
  readonly windowSeconds: number;
  readonly window: UsageFigures;
  readonly total: UsageFigures;
}

/** What is kept of the last while, minute by minute. */
export interface UsageHistory {
  /** The minute that it is, in milliseconds since 1970, by the database's clock; `minutes` ends with it. */
  readonly nowMinuteMs: number;
  readonly windowMinutes: number;
  /** Of those minutes that have any. */
  readonly minutes: ReadonlyMap<number, UsageFigures>;
}

/** A limit on how many may run at once. */
export interface PoolState {
  readonly available: number;
  readonly max: number;
  /** The first hundred. */
  readonly heldBy: readonly { readonly jobId: string; readonly step: string; readonly tokens: number }[];
}

export interface QueueState {
  /** Steps that could begin; null: nobody can tell just now. */
  readonly ready: number | null;
  readonly running: number;
  readonly retrying: number;
  /** Null: none waits. */
  readonly oldestReadySeconds: number | null;
}

/** How the fleet stands now. */
export interface FleetState {
  /** By the resource's name. */
  readonly pools: ReadonlyMap<string, PoolState>;
  /** Of steps with a `concurrency`, by `pipeline/step`. */
  readonly limits: ReadonlyMap<string, PoolState>;
  readonly queues: ReadonlyMap<string, QueueState>;
  /** How many jobs there are, by status; every status is there. */
  readonly jobs: ReadonlyMap<JobStatus, number>;
}
