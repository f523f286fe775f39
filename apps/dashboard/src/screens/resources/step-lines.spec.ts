import type { MinuteOfStep, ResourceHistory } from '#shared/contracts/resource-history';
import { CHARTS, MOST_LINES, shownSteps, stepLines } from './step-lines';

const step = (p95: number): MinuteOfStep => ({
  ...{ attempts: 1, failures: 0, retries: 0, duration_seconds: { avg: 1, p50: 1, p95, max: p95 } },
  ...{ cpu_percent: { avg: 5, max: 50 }, memory_mb: { avg: 6, max: 60 } },
});

const history: ResourceHistory = {
  ...{ window_seconds: 120, wait_seconds_p95: null, duration_seconds_p95: null, steps: ['p/b', 'p/a'] },
  ...{ steps_left_out: 0, stale: false },
  minutes: [[step(2)], [step(3), step(9)]].map(([a, b], nth) => ({
    ...{ at: `2030-01-01T10:0${nth}:00.000Z`, jobs: { completed: 0, failed: 0, cancelled: 0 } },
    ...{ wait_seconds_p95: null, duration_seconds_p95: null },
    steps: { ...(a && { 'p/a': a }), ...(b && { 'p/b': b }) },
  })),
};

it('shows the busiest when none is chosen that is known', () => {
  const known = ['p/e', 'p/d', 'p/c', 'p/b', 'p/a'];
  expect(shownSteps(known, [])).toEqual(['p/b', 'p/c', 'p/d', 'p/e']);
  expect(shownSteps(known, ['gone'])).toHaveLength(4);
  expect(shownSteps(known, ['p/c', 'gone', 'p/a'])).toEqual(['p/a', 'p/c']);
});

it('shows no more than can be told apart', () => {
  const known = Array.from({ length: 20 }, (_, nth) => `p/${nth}`);
  expect(shownSteps(known, known)).toHaveLength(MOST_LINES);
});

it('draws a line for each step, with gaps where it had no attempts', () => {
  const lines = stepLines(history.minutes, ['p/a', 'p/b'], CHARTS.duration.worst);
  expect(lines.map(({ label, values }) => [label, values])).toEqual([
    ['p/a', [2, 3]],
    ['p/b', [null, 9]],
  ]);
  expect(new Set(lines.map(({ tone }) => tone)).size).toBe(2);
  expect(stepLines(history.minutes, ['p/a'], CHARTS.memory.average)[0]?.values).toEqual([6, 6]);
  expect(stepLines(history.minutes, ['p/a'], CHARTS.cpu.worst)[0]?.values).toEqual([50, 50]);
});
