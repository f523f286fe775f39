import type { WorkerView } from '#shared/contracts/fleet';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { mergedSketch, rounded, secondsOf, spreadOf } from '#shared/contracts/spread-of';
import { JOB_STATUSES } from '#shared/domain/status';
import { Sketch } from '#shared/domain/usage/sketch';
import { StepUsage } from '#shared/domain/usage/step-usage';
import type { FleetState, PoolState, QueueState, Usage, UsageFigures } from '#shared/domain/usage/usage-figures';

type Metrics = ResourceStatus['metrics'];
type PipelineFigures = Metrics['pipelines'][string];
type StepFigures = Metrics['steps'][string];
type Pool = ResourceStatus['limits'][string];

/** What a status is made of; null: it could not be read. */
export interface ResourceStatusParts {
  readonly usage: Usage | null;
  readonly fleet: FleetState | null;
  readonly workers: readonly WorkerView[] | null;
}

/** The window that is spoken of when nothing is known. */
const WINDOW_SECONDS = 3_600;
const NO_FIGURES: UsageFigures = { steps: [], jobs: [], waits: [], latenessSeconds: new Sketch() };

/** The answer of `GET /v1/ingest/resource_status`. What could not be read is empty. */
export function resourceStatusOf({ usage, fleet, workers }: ResourceStatusParts, stale: boolean): ResourceStatus {
  const pools = recordOf(fleet?.pools ?? new Map<string, PoolState>(), poolOf);
  const sumOf = (of: (pool: Pool) => number): number => Object.values(pools).reduce((sum, pool) => sum + of(pool), 0);
  return {
    tokens: { available_tokens: sumOf(({ available }) => available), max_tokens: sumOf(({ max }) => max), pools },
    limits: recordOf(fleet?.limits ?? new Map<string, PoolState>(), poolOf),
    metrics: metricsOf(usage?.window ?? NO_FIGURES, usage?.windowSeconds ?? WINDOW_SECONDS),
    jobs: Object.fromEntries(JOB_STATUSES.map((status) => [status, fleet?.jobs.get(status) ?? 0])),
    queues: recordOf(
      fleet?.queues ?? new Map<string, QueueState>(),
      ({ ready, running, retrying, oldestReadySeconds }) => ({
        ...{ ready, running, retrying },
        oldest_ready_seconds: rounded(oldestReadySeconds),
      }),
    ),
    workers: (workers ?? []).map(({ id, name, version, status, last_seen, running, capacity, ...used }) => ({
      ...{ id, name, version, status, last_seen, running, capacity },
      cpu_percent: rounded(used.cpu_percent),
      memory_mb: rounded(used.memory_mb),
    })),
    stale,
  };
}

const poolOf = ({ available, max, heldBy }: PoolState): Pool => ({
  available,
  max,
  held_by: heldBy.map(({ jobId, step, tokens }) => ({ job_id: jobId, step, tokens })),
});

function metricsOf(figures: UsageFigures, windowSeconds: number): Metrics {
  const { steps, jobs, waits } = figures;
  const all = merged(steps.map(({ usage }) => usage));
  const pipelines = new Set([...steps, ...jobs, ...waits].map(({ pipeline }) => pipeline));
  return {
    window_seconds: windowSeconds,
    job_count: sum(jobs.map((ended) => ended.jobs)),
    duration_seconds: secondsOf(mergedSketch(jobs.map(({ durationMs }) => durationMs))),
    cpu_percent: spreadOf(all.cpuPercent),
    memory_mb: spreadOf(all.memoryMb),
    steps: stepsByName(figures),
    pipelines: fromEntries([...pipelines].sort().map((name) => [name, pipelineOf(name, figures)])),
  };
}

function pipelineOf(name: string, figures: UsageFigures): PipelineFigures {
  const isOurs = ({ pipeline }: { readonly pipeline: string }): boolean => pipeline === name;
  const jobs = figures.jobs.filter(isOurs);
  return {
    job_count: sum(jobs.map((ended) => ended.jobs)),
    failed: sum(jobs.filter(({ status }) => status === 'failed').map((ended) => ended.jobs)),
    duration_seconds: secondsOf(mergedSketch(jobs.map(({ durationMs }) => durationMs))),
    wait_seconds: secondsOf(mergedSketch(figures.waits.filter(isOurs).map(({ waitMs }) => waitMs))),
    steps: stepsByName({ steps: figures.steps.filter(isOurs) }),
  };
}

/** Steps of the same name in several pipelines are taken together. */
function stepsByName({ steps }: Pick<UsageFigures, 'steps'>): Record<string, StepFigures> {
  const names = [...new Set(steps.map(({ step }) => step))].sort();
  return fromEntries(
    names.map((name) => {
      const usage = merged(steps.filter(({ step }) => step === name).map((each) => each.usage));
      return [
        name,
        {
          ...{ attempts: usage.attempts, failures: usage.failures, retries: usage.retryCount },
          duration_seconds: secondsOf(usage.durationMs),
          cpu_percent: spreadOf(usage.cpuPercent),
          memory_mb: spreadOf(usage.memoryMb),
        },
      ];
    }),
  );
}

function merged(usages: readonly StepUsage[]): StepUsage {
  const all = new StepUsage();
  for (const usage of usages) all.merge(usage);
  return all;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

const recordOf = <From, To>(map: ReadonlyMap<string, From>, of: (value: From) => To): Record<string, To> =>
  fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, of(value)]));

/** A step or pipeline may be called like anything, `__proto__` too. */
const fromEntries = <Value>(entries: readonly (readonly [string, Value])[]): Record<string, Value> =>
  Object.fromEntries(entries);
