import type { JsonObject } from '#shared/domain/json';
import type { DependencyFailure } from '#shared/domain/turn/job-hold';
import type { Priority } from '#shared/domain/status';
import type { StepSet } from '#shared/domain/step-set';

/** A checked job that is about to be stored. */
export interface NewJob {
  /** UUIDv7. */
  readonly id: string;
  readonly pipeline: string;
  /** Of the stored definition: the pipeline's, or the part of it that the job runs. */
  readonly pipelineHash: string;
  readonly allSteps: StepSet;
  /** Steps that need no other. */
  readonly roots: StepSet;
  readonly priority: Priority;
  readonly source: string | null;
  readonly sourceType: 'local_path' | 'git_url' | null;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly input: JsonObject;
  /** By step name, over the pipeline's. */
  readonly options: Readonly<Record<string, JsonObject>>;
  readonly tags: readonly string[];
  readonly description: string | null;
  /** When to start: seconds since 1970; null = at once, unless `countdown` says otherwise. */
  readonly etaSeconds: number | null;
  /** Seconds from the database's now. Ignored when `etaSeconds` is given. */
  readonly countdown: number | null;
  /** Jobs that have to be completed first. Each once. */
  readonly dependsOn: readonly string[];
  /** What becomes of it when one of them fails or is cancelled: it fails too, or runs all the same. */
  readonly onDependencyFailure: DependencyFailure;
  /** The recurring schedule that made it. */
  readonly scheduleId: string | null;
  readonly idempotencyKey: string | null;
  /** Of the canonical request, to tell a repeated request from another one with the same key. */
  readonly requestHash: string | null;
}
