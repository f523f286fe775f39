import type { HistoryMinute, ResourceHistory } from '#shared/contracts/resource-history';

/** A chart is not made of less. */
const LEAST_MINUTES = 15;

/** The minutes that charts show: from the first that has anything on, so that a new system's fill them. */
export function shownMinutes({ minutes }: Pick<ResourceHistory, 'minutes'>): readonly HistoryMinute[] {
  const first = minutes.findIndex(
    ({ jobs, wait_seconds_p95: wait, steps }) =>
      jobs.completed + jobs.failed + jobs.cancelled > 0 || wait !== null || Object.keys(steps).length > 0,
  );
  const from = first < 0 ? minutes.length : first;
  return minutes.slice(Math.max(0, Math.min(from, minutes.length - LEAST_MINUTES)));
}
