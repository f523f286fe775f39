import type { WorkerView } from '#shared/contracts/fleet';
import { resourceStatus } from '#shared/contracts/resource-status';
import { resourceStatusOf } from '#shared/contracts/resource-status-of';
import { JOB_STATUSES } from '#shared/domain/status';
import { Sketch } from '#shared/domain/usage/sketch';
import { StepUsage } from '#shared/domain/usage/step-usage';
import type { FleetState, Usage, UsageFigures } from '#shared/domain/usage/usage-figures';

const sketchOf = (...values: number[]): Sketch => {
  const sketch = new Sketch();
  for (const value of values) sketch.observe(value);
  return sketch;
};

const usageOf = (window: Partial<UsageFigures> = {}): Usage => {
  const none: UsageFigures = { steps: [], jobs: [], waits: [], latenessSeconds: new Sketch() };
  return { windowSeconds: 3_600, window: { ...none, ...window }, total: none };
};

const fleetOf = (over: Partial<FleetState> = {}): FleetState => ({
  ...{ pools: new Map(), limits: new Map(), queues: new Map() },
  jobs: new Map(JOB_STATUSES.map((status) => [status, 0])),
  ...over,
});

const stepUsage = (...durations: number[]): StepUsage => {
  const usage = new StepUsage();
  durations.forEach((durationMs, index) =>
    usage.observe({
      ...{ outcome: index === 0 ? 'failed' : 'completed', retried: index === 0 ? 'transient' : null },
      ...{ durationMs, cpuPercent: 12.34567, memoryMb: 80 },
    }),
  );
  return usage;
};

const NONE = { avg: null, min: null, max: null };
const NONE_OF_MANY = { ...NONE, p50: null, p95: null, p99: null };

it('is empty with counts of 0 and figures that are null, whether nothing is there or nothing is known', () => {
  const empty = resourceStatusOf({ usage: usageOf(), fleet: fleetOf(), workers: [] }, false);
  expect(resourceStatus.parse(empty)).toEqual(empty);
  expect(empty).toEqual({
    tokens: { available_tokens: 0, max_tokens: 0, pools: {} },
    limits: {},
    metrics: {
      ...{ window_seconds: 3_600, job_count: 0, duration_seconds: NONE_OF_MANY, cpu_percent: NONE, memory_mb: NONE },
      ...{ steps: {}, pipelines: {} },
    },
    jobs: Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])),
    ...{ queues: {}, workers: [], stale: false },
  });
  expect(resourceStatusOf({ usage: null, fleet: null, workers: null }, true)).toEqual({ ...empty, stale: true });
});

it('sums the pools, but not the limits of steps, and names who holds', () => {
  const heldBy = [{ jobId: 'j', step: 's', tokens: 2 }];
  const pools = new Map([
    ['llm', { available: 2, max: 4, heldBy }],
    ['gpu', { available: 1, max: 1, heldBy: [] }],
  ]);
  const limits = new Map([['p/s', { available: 3, max: 8, heldBy }]]);
  const held_by = [{ job_id: 'j', step: 's', tokens: 2 }];
  expect(resourceStatusOf({ usage: usageOf(), fleet: fleetOf({ pools, limits }), workers: [] }, false)).toMatchObject({
    tokens: { available_tokens: 3, max_tokens: 5, pools: { llm: { available: 2, max: 4, held_by } } },
    limits: { 'p/s': { available: 3, max: 8, held_by } },
  });
});

it('takes steps of one name together, and tells them apart by pipeline', () => {
  const steps = [
    { pipeline: 'a', step: 's', usage: stepUsage(1_000, 3_000) },
    { pipeline: 'b', step: 's', usage: stepUsage(5_000) },
  ];
  const jobs = [
    { pipeline: 'a', status: 'completed' as const, jobs: 2, durationMs: sketchOf(1_500, 2_500.4) },
    { pipeline: 'a', status: 'failed' as const, jobs: 3, durationMs: sketchOf(500) },
  ];
  const waits = [{ pipeline: 'a', waitMs: sketchOf(20) }];
  const { metrics } = resourceStatusOf(
    { usage: usageOf({ steps, jobs, waits }), fleet: fleetOf(), workers: [] },
    false,
  );
  expect(metrics).toMatchObject({
    job_count: 5,
    duration_seconds: { avg: 1.5, min: 0.5, max: 2.5, p99: 2.5 },
    cpu_percent: { avg: 12.346, min: 12.346, max: 12.346 },
    memory_mb: { avg: 80, min: 80, max: 80 },
    steps: { s: { attempts: 3, failures: 2, retries: 2, duration_seconds: { avg: 3, min: 1, max: 5 } } },
    pipelines: {
      a: { job_count: 5, failed: 3, wait_seconds: { avg: 0.02 }, steps: { s: { attempts: 2, failures: 1 } } },
      b: { job_count: 0, failed: 0, duration_seconds: NONE_OF_MANY, steps: { s: { attempts: 1 } } },
    },
  });
});

it('shows queues and workers, rounded to the thousandth', () => {
  const queues = new Map([
    ['default', { ready: null, running: 1, retrying: 2, oldestReadySeconds: 1.23456 }],
    ['idle', { ready: 0, running: 0, retrying: 0, oldestReadySeconds: null }],
  ]);
  const worker: WorkerView = {
    ...{ id: 'w', name: 'host-1', version: '1', queues: ['default'], status: 'alive' },
    ...{ last_seen: '2030-01-01T00:00:00.000Z', running: 1, capacity: 50, cpu_percent: 1 / 3, memory_mb: null },
  };
  const status = resourceStatusOf({ usage: usageOf(), fleet: fleetOf({ queues }), workers: [worker] }, false);
  expect(status.queues).toEqual({
    default: { ready: null, running: 1, retrying: 2, oldest_ready_seconds: 1.235 },
    idle: { ready: 0, running: 0, retrying: 0, oldest_ready_seconds: null },
  });
  const { queues: _, ...shown } = worker;
  expect(status.workers).toEqual([{ ...shown, cpu_percent: 0.333 }]);
});
