import type { ZodObject, ZodType } from 'zod';
import type { Json, JsonObject } from '#shared/domain/json';

/** Where the data of a job comes from. Every field but `input` is null for a job without a source. */
export interface JobInput {
  readonly source: string | null;
  readonly source_type: 'local_path' | 'git_url' | null;
  readonly branch: string | null;
  /** The commit that `branch` meant when the job was submitted. */
  readonly commit: string | null;
  readonly input: JsonObject;
}

/** What every process knows of a handler without running it: enough to check a pipeline and a job's options. */
export interface HandlerDefinition<Options = JsonObject> {
  /** The name that `uses:` refers to. */
  readonly name: string;
  readonly description: string;
  /** A strict object schema that fills in the defaults. */
  readonly options: ZodObject & ZodType<Options>;
  /** The options that a job may set over the pipeline's. */
  readonly jobOptions: readonly string[];
  /** Same input, same output, and effects that are upserts: it may run again without anybody noticing. */
  readonly repeatable: boolean;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a handler is given for one attempt. */
export interface StepContext<Options = JsonObject> {
  readonly jobId: string;
  readonly step: string;
  /** 1 for the first attempt of the step; goes on through manual retries. */
  readonly attempt: number;
  /** The same for every attempt of this step of this job: hand it to external systems. */
  readonly idempotencyKey: string;
  readonly input: JobInput;
  /** Outputs of all steps that this one needs, directly or through others, by step name. */
  readonly outputs: Readonly<Record<string, Json>>;
  readonly options: Options;
  /** Aborted when the attempt must stop: cancelled, timed out, or the worker drains. */
  readonly signal: AbortSignal;
  /** Reports how far the attempt is. @param percent 0…100 */
  progress(percent: number, message?: string): void;
  /** Keeps a line with the attempt. */
  log(level: LogLevel, message: string): void;
}

/** A step's work. An instance serves many attempts at once, so it keeps no state of an attempt in its fields. */
export interface StepHandler<Options = JsonObject> {
  readonly definition: HandlerDefinition<Options>;
  /**
   * Does the work and returns the step's output (any JSON of at most 1 MiB; nothing and null mean `{}`).
   * @throws PermanentError never tried again; @throws TransientError or anything else: tried again by the policy
   */
  run(context: StepContext<Options>): Promise<Json | void>;
}
