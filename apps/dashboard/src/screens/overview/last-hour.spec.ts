import type { HistoryMinute, ResourceHistory } from '#shared/contracts/resource-history';
import { lastHourOf } from './last-hour';

const minute = (at: string, completed: number, failed: number, cancelled = 0): HistoryMinute => ({
  ...{ at, jobs: { completed, failed, cancelled }, wait_seconds_p95: 0.5, duration_seconds_p95: null, steps: {} },
});

const historyOf = (...minutes: HistoryMinute[]): ResourceHistory => ({
  ...{ window_seconds: 3_600, wait_seconds_p95: null, duration_seconds_p95: null },
  ...{ steps: [], steps_left_out: 0, minutes, stale: false },
});

it('sums up the hour, and lists it by minute', () => {
  const hour = lastHourOf(
    historyOf(minute('2030-01-01T10:00:00.000Z', 50, 10), minute('2030-01-01T10:01:00.000Z', 30, 20, 10)),
  );
  expect(hour).toMatchObject({ ended: 120, perMinute: 2, failureShare: 0.25, completed: [50, 30], failed: [10, 20] });
  expect(hour).toMatchObject({ cancelled: [0, 10], waitSeconds: [0.5, 0.5], runSeconds: [null, null] });
  expect((hour.timesMs[1] ?? 0) - (hour.timesMs[0] ?? 0)).toBe(60_000);
});

it('has no rate of failure when nothing ended', () => {
  expect(lastHourOf(historyOf())).toMatchObject({ ended: 0, perMinute: 0, failureShare: null, timesMs: [] });
});
