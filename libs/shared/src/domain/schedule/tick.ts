import { type CatchUp, catchUpOn, dueTimes } from '#shared/domain/schedule/catch-up';
import type { CronTimes } from '#shared/domain/schedule/cron-times';
import { dueRun, type DueRun, type Overlap } from '#shared/domain/schedule/overlap';

/** A schedule whose next time has come. All times are in milliseconds since 1970, by the database's clock. */
export interface DueSchedule {
  /** The first time that nobody has looked at yet. */
  readonly nextMs: number;
  readonly nowMs: number;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  /** Jobs of the schedule that have not ended. */
  readonly live: number;
  /** Due times that have their run: the clock was set back. */
  readonly taken: readonly number[];
}

export interface Tick {
  /** The oldest first. */
  readonly runs: readonly { readonly dueMs: number; readonly kind: DueRun['kind'] }[];
  /** Due times that are left out, and whether there may have been more of them. */
  readonly missed: number;
  readonly andMore: boolean;
  /** Later than now; null: it is never due again. */
  readonly nextMs: number | null;
}

/** What becomes of a schedule that is due. */
export function tick({ nextMs, nowMs, overlap, catchUp, live, taken }: DueSchedule, times: CronTimes): Tick {
  const due = dueTimes(times, nextMs, nowMs, catchUp).filter((at) => !taken.includes(at));
  const { run, missed, andMore } = catchUpOn(due, nowMs, catchUp);
  let alive = live;
  const runs = run.map((dueMs) => {
    const { kind } = dueRun(overlap, alive);
    if (kind !== 'skip') alive += 1;
    return { dueMs, kind };
  });
  return { runs, missed, andMore, nextMs: times.next(nowMs) };
}
