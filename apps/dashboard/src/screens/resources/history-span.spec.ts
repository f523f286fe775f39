import type { HistoryMinute } from '#shared/contracts/resource-history';
import { shownMinutes } from './history-span';

const minutes = (count: number, busyFrom: number): HistoryMinute[] =>
  Array.from({ length: count }, (_, nth) => ({
    ...{ at: `${nth}`, jobs: { completed: nth === busyFrom ? 1 : 0, failed: 0, cancelled: 0 } },
    ...{ wait_seconds_p95: null, duration_seconds_p95: null, steps: {} },
  }));

it('begins with the first minute that has anything, but shows a quarter of an hour at least', () => {
  const shownFrom = (count: number, busyFrom: number) => shownMinutes({ minutes: minutes(count, busyFrom) })[0]?.at;
  expect(shownFrom(60, 0)).toBe('0');
  expect(shownFrom(60, 20)).toBe('20');
  expect(shownFrom(60, 58)).toBe('45');
  expect(shownFrom(60, 99)).toBe('45');
  expect(shownFrom(5, 4)).toBe('0');
  expect(shownMinutes({ minutes: [] })).toEqual([]);
});
