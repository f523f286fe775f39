import type { ResourceHistory } from '#shared/contracts/resource-history';
import { shownMinutes } from '../resources/history-span';

/** The last hour of all jobs, as a chart takes it: by minute from the first that has any, the last of which goes on. */
export interface LastHour {
  readonly timesMs: readonly number[];
  readonly completed: readonly number[];
  readonly failed: readonly number[];
  readonly cancelled: readonly number[];
  /** 95th percentiles; null where no job began or ended. */
  readonly waitSeconds: readonly (number | null)[];
  readonly runSeconds: readonly (number | null)[];
  /** Jobs that ended in the hour. */
  readonly ended: number;
  readonly perMinute: number;
  /** How much of them failed, 0…1; null when none ended. */
  readonly failureShare: number | null;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

export function lastHourOf(history: ResourceHistory): LastHour {
  const windowSeconds = history.window_seconds;
  const minutes = shownMinutes(history);
  const completed = minutes.map(({ jobs }) => jobs.completed);
  const failed = minutes.map(({ jobs }) => jobs.failed);
  const cancelled = minutes.map(({ jobs }) => jobs.cancelled);
  const ended = sum(completed) + sum(failed) + sum(cancelled);
  return {
    timesMs: minutes.map(({ at }) => Date.parse(at)),
    ...{ completed, failed, cancelled, ended },
    waitSeconds: minutes.map(({ wait_seconds_p95: seconds }) => seconds),
    runSeconds: minutes.map(({ duration_seconds_p95: seconds }) => seconds),
    perMinute: windowSeconds === 0 ? 0 : (ended * 60) / windowSeconds,
    failureShare: ended === 0 ? null : sum(failed) / ended,
  };
}
