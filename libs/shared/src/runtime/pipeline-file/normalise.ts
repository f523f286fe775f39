import type { HandlerDefinition } from '#shared/contracts/handler';
import type {
  ConfigBackOff,
  ConfigRetry,
  ConfigStep,
  FullConfig,
  ShortConfig,
  ShortConfigStep,
} from '#shared/contracts/pipeline-config';
import type { BackOff, PipelineDefinition, StepDefinition } from '#shared/domain/pipeline';
import { shortOptions } from '#shared/runtime/pipeline-file/pipeline-rules';

/** The pipelines of a file, every default filled in. */
export interface PipelineCatalog {
  readonly pipelines: ReadonlyMap<string, PipelineDefinition>;
  /** Tokens that each pool has. */
  readonly pools: ReadonlyMap<string, number>;
  /** Queues that any step uses, sorted. */
  readonly queues: readonly string[];
}

type Handlers = ReadonlyMap<string, HandlerDefinition>;

const DEFAULT_MAX_RETRIES = 3;
const DEFAULT_INITIAL_MS = 10_000;
const DEFAULT_MAX_MS = 300_000;

/** @param config checked by the schema and by every rule */
export function normaliseFull(config: FullConfig, handlers: Handlers): PipelineCatalog {
  const pipelines = Object.entries(config.pipelines).map(([name, { description, source, steps }]) => ({
    name,
    description,
    source,
    steps: steps.map((step, index) => normaliseStep(step, steps[index - 1]?.name, config.retry, handlers)),
  }));
  return catalogOf(pipelines, config.resources);
}

/** @param config checked by the schema and by every rule */
export function normaliseShort(config: ShortConfig, handlers: Handlers): PipelineCatalog {
  const steps = config.steps.map((step, index) =>
    normaliseStep(expandShort(step), config.steps[index - 1]?.name, config.retry, handlers),
  );
  return catalogOf([{ name: 'default', description: '', source: 'optional', steps }], config.resources);
}

function expandShort(step: ShortConfigStep): ConfigStep {
  const { name, concurrency, max_retries, back_off_seconds } = step;
  const options = shortOptions(step);
  return { name, concurrency, max_retries, back_off_seconds, queue: 'default', isolation: 'inline', options };
}

function normaliseStep(
  step: ConfigStep,
  before: string | undefined,
  retry: ConfigRetry | undefined,
  handlers: Handlers,
): StepDefinition {
  const uses = step.uses ?? step.name;
  return {
    name: step.name,
    uses,
    needs: step.needs ?? (before === undefined ? [] : [before]),
    queue: step.queue,
    max_retries: step.max_retries ?? retry?.max_retries ?? DEFAULT_MAX_RETRIES,
    back_off: backOffOf(step) ?? backOffOf(retry ?? {}) ?? fixed(DEFAULT_INITIAL_MS),
    timeout_ms: step.timeout ?? null,
    concurrency: step.concurrency ?? null,
    resources: step.resources ?? {},
    isolation: step.isolation,
    options: handlers.get(uses)?.options.parse(step.options) ?? step.options,
  };
}

function backOffOf(settings: { back_off?: ConfigBackOff; back_off_seconds?: number }): BackOff | null {
  if (settings.back_off_seconds !== undefined) return fixed(Math.round(settings.back_off_seconds * 1_000));
  if (!settings.back_off) return null;
  const {
    strategy,
    initial = Math.min(DEFAULT_INITIAL_MS, settings.back_off.max ?? Infinity),
    factor,
    jitter,
  } = settings.back_off;
  return {
    strategy,
    initial_ms: initial,
    factor,
    max_ms: settings.back_off.max ?? Math.max(DEFAULT_MAX_MS, initial),
    jitter,
  };
}

const fixed = (initialMs: number): BackOff => ({
  strategy: 'fixed',
  initial_ms: initialMs,
  factor: 2,
  max_ms: Math.max(DEFAULT_MAX_MS, initialMs),
  jitter: 0,
});

function catalogOf(pipelines: readonly PipelineDefinition[], resources: FullConfig['resources']): PipelineCatalog {
  const queues = new Set(pipelines.flatMap(({ steps }) => steps.map(({ queue }) => queue)));
  return {
    pipelines: new Map(pipelines.map((pipeline) => [pipeline.name, pipeline])),
    pools: new Map(Object.entries(resources ?? {}).map(([name, pool]) => [name, pool.max_tokens])),
    queues: [...queues].sort(),
  };
}
