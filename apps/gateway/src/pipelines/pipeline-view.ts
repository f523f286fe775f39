import type { HandlerDefinition } from '#shared/contracts/handler';
import { optionsWithoutSecrets } from '#shared/contracts/hidden-secrets';
import type { JsonObject } from '#shared/domain/json';
import type { BackOff, PipelineDefinition, StepDefinition } from '#shared/domain/pipeline';

export interface PipelineStepView {
  readonly name: string;
  readonly uses: string;
  readonly needs: readonly string[];
  readonly queue: string;
  readonly max_retries: number;
  readonly back_off: BackOff;
  readonly timeout_ms: number | null;
  readonly concurrency: number | null;
  readonly resources: Readonly<Record<string, number>>;
  readonly isolation: 'inline' | 'process';
  /** With `{ secret: NAME }` where a secret is named; the secret itself is known to workers alone. */
  readonly options: JsonObject;
  /** The options that a job may set over these. */
  readonly job_options: readonly string[];
}

/** A pipeline as `GET /v1/pipelines` shows it. */
export interface PipelineView {
  readonly name: string;
  readonly description: string;
  readonly source: 'required' | 'optional';
  readonly steps: readonly PipelineStepView[];
}

export function pipelineView(
  { name, description, source, steps }: PipelineDefinition,
  handlers: ReadonlyMap<string, HandlerDefinition>,
): PipelineView {
  return { name, description, source, steps: steps.map((step) => stepView(step, handlers.get(step.uses))) };
}

function stepView(step: StepDefinition, handler: HandlerDefinition | undefined): PipelineStepView {
  const { name, uses, needs, queue, max_retries, back_off, timeout_ms, concurrency, resources, isolation, options } =
    step;
  return {
    ...{ name, uses, needs, queue, max_retries, back_off, timeout_ms, concurrency, resources, isolation },
    options: optionsWithoutSecrets(options),
    job_options: handler?.jobOptions ?? [],
  };
}
