import { MOST_STEPS, resourceHistory } from '#shared/contracts/resource-history';
import { resourceHistoryOf } from '#shared/contracts/resource-history-of';
import { Sketch } from '#shared/domain/usage/sketch';
import { StepUsage } from '#shared/domain/usage/step-usage';
import type { UsageFigures, UsageHistory } from '#shared/domain/usage/usage-figures';

const NOW = Date.parse('2030-01-01T12:34:00.000Z');
const MINUTE = 60_000;

const figures = (over: Partial<UsageFigures> = {}): UsageFigures => ({
  ...{ steps: [], jobs: [], waits: [], latenessSeconds: new Sketch() },
  ...over,
});

const historyOf = (...minutes: [number, UsageFigures][]): UsageHistory => ({
  ...{ nowMinuteMs: NOW, windowMinutes: 60, minutes: new Map(minutes) },
});

const sketchOf = (...values: number[]): Sketch => {
  const sketch = new Sketch();
  for (const value of values) sketch.observe(value);
  return sketch;
};

const step = (pipeline: string, name: string, ...durations: number[]): UsageFigures['steps'][number] => {
  const usage = new StepUsage();
  for (const durationMs of durations)
    usage.observe({ outcome: 'completed', retried: null, durationMs, cpuPercent: 50, memoryMb: durationMs / 10 });
  return { pipeline, step: name, usage };
};

it('is empty and stale when it was never read', () => {
  const none = resourceHistoryOf(null);
  expect(resourceHistory.parse(none)).toEqual(none);
  expect(none).toMatchObject({ window_seconds: 3_600, steps: [], steps_left_out: 0, minutes: [], stale: true });
});

it('tells of every minute of the window, with nothing in those that had nothing', () => {
  const told = resourceHistoryOf(historyOf());
  expect(resourceHistory.parse(told)).toEqual(told);
  expect(told.minutes).toHaveLength(60);
  expect(told.minutes[0]).toEqual({
    at: '2030-01-01T11:35:00.000Z',
    jobs: { completed: 0, failed: 0, cancelled: 0 },
    ...{ wait_seconds_p95: null, duration_seconds_p95: null, steps: {} },
  });
  expect(told.minutes[59]?.at).toBe('2030-01-01T12:34:00.000Z');
});

it('takes the pipelines of a minute together for jobs, and tells them apart for steps', () => {
  const jobs: UsageFigures['jobs'] = [
    { pipeline: 'a', status: 'completed', jobs: 2, durationMs: sketchOf(1_000, 2_000) },
    { pipeline: 'b', status: 'completed', jobs: 1, durationMs: sketchOf(9_000) },
    { pipeline: 'b', status: 'failed', jobs: 4, durationMs: sketchOf() },
  ];
  const waits = [
    { pipeline: 'a', waitMs: sketchOf(20) },
    { pipeline: 'b', waitMs: sketchOf(500) },
  ];
  const steps = [step('a', 's', 1_000, 3_000), step('b', 's', 5_000)];
  const told = resourceHistoryOf(
    historyOf([NOW - 2 * MINUTE, figures({ jobs, waits, steps })], [NOW, figures({ steps: [step('a', 's', 8_000)] })]),
  );
  expect(resourceHistory.parse(told)).toEqual(told);
  expect(told).toMatchObject({ wait_seconds_p95: 0.5, duration_seconds_p95: 9, stale: false });
  expect(told.minutes[57]).toEqual({
    at: '2030-01-01T12:32:00.000Z',
    jobs: { completed: 3, failed: 4, cancelled: 0 },
    ...{ wait_seconds_p95: 0.5, duration_seconds_p95: 9 },
    steps: {
      'a/s': {
        ...{ attempts: 2, failures: 0, retries: 0, duration_seconds: { avg: 2, p50: 1, p95: 3, max: 3 } },
        ...{ cpu_percent: { avg: 50, max: 50 }, memory_mb: { avg: 200, max: 300 } },
      },
      'b/s': {
        ...{ attempts: 1, failures: 0, retries: 0, duration_seconds: { avg: 5, p50: 5, p95: 5, max: 5 } },
        ...{ cpu_percent: { avg: 50, max: 50 }, memory_mb: { avg: 500, max: 500 } },
      },
    },
  });
  expect(told.steps).toEqual(['a/s', 'b/s']);
});

it('tells of so many steps, the busiest first, and how many it leaves out', () => {
  const steps = Array.from({ length: MOST_STEPS + 5 }, (_, nth) => step('p', `s${nth}`, 1_000 + nth));
  const proto = step('p', '__proto__', 50_000);
  const told = resourceHistoryOf(historyOf([NOW, figures({ steps: [...steps, proto] })]));
  expect(told.steps.slice(0, 3)).toEqual(['p/__proto__', `p/s${MOST_STEPS + 4}`, `p/s${MOST_STEPS + 3}`]);
  expect([told.steps.length, told.steps_left_out]).toEqual([MOST_STEPS, 6]);
  expect(Object.keys(told.minutes[59]?.steps ?? {}).sort()).toEqual([...told.steps].sort());
});
