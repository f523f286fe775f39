import type { CronTimes } from '#shared/domain/schedule/cron-times';

/** What is made of due times that nobody was there for. */
export const CATCH_UPS = ['none', 'last', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

/** Runs that one outage leaves behind at most. */
export const MOST_CAUGHT_UP = 100;
/** With `none`, a due time that is later than this is left out. */
export const LATEST_MS = 60_000;
/** Due times that are looked at, to run or to count them: an outage of a year has 30 million seconds. */
const LOOKED_AT: Readonly<Record<CatchUp, number>> = { none: 20, last: 20, all: 2 * MOST_CAUGHT_UP };

/** The due times in [since, now], the oldest first: the newest of them when there are more than are looked at. */
export function dueTimes(times: CronTimes, sinceMs: number, nowMs: number, catchUp: CatchUp): number[] {
  const due: number[] = [];
  // Looked for backwards from now: how long the outage was does not matter then.
  for (let at = times.previous(nowMs + 1); at !== null && at >= sinceMs && due.length < LOOKED_AT[catchUp];) {
    due.push(at);
    at = times.previous(at);
  }
  return due.reverse();
}

export interface CaughtUp {
  /** Due times to run, the oldest first. */
  readonly run: readonly number[];
  /** How many are left out: those that were looked at, so it may have been more. */
  readonly missed: number;
  readonly andMore: boolean;
}

/**
 * Which due times are run now.
 * @param due the oldest first
 */
export function catchUpOn(due: readonly number[], nowMs: number, catchUp: CatchUp): CaughtUp {
  const run = wanted(due, nowMs, catchUp);
  const missed = due.length - run.length;
  return { run, missed, andMore: missed > 0 && due.length >= LOOKED_AT[catchUp] };
}

function wanted(due: readonly number[], nowMs: number, catchUp: CatchUp): readonly number[] {
  switch (catchUp) {
    case 'none':
      return due.slice(-1).filter((at) => nowMs - at <= LATEST_MS);
    case 'last':
      return due.slice(-1);
    case 'all':
      return due.slice(-MOST_CAUGHT_UP);
  }
}
