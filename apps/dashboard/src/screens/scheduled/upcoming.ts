import type { JobView } from '#shared/contracts/job';
import type { ScheduleView } from '#shared/contracts/schedule';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** More jobs of one pipeline in one minute are told together. */
const MOST_ALIKE = 3;
/** As many next runs as an answer shows: there may be more behind them. */
const SHOWN_RUNS = 5;

export type Upcoming =
  /** Jobs of one pipeline that are held until the same minute; the first to start comes first. */
  | { readonly kind: 'jobs'; readonly key: string; readonly atMs: number; readonly jobs: readonly JobView[] }
  /** A schedule; `times` are those within the time that was asked for, the first is `atMs`. */
  | {
      readonly kind: 'schedule';
      readonly key: string;
      readonly atMs: number;
      readonly schedule: ScheduleView;
      readonly times: readonly number[];
      /** It runs more often than its times say. */
      readonly goesOn: boolean;
    };

/**
 * What will run within a day, in the order of time. A schedule has an entry for each run, or a single one when it runs
 * so often that its known runs all lie within the day.
 * @param jobs those that are held for their time; one that is overdue is still to come
 */
export function upcoming(
  jobs: readonly JobView[],
  schedules: readonly ScheduleView[],
  nowMs: number,
  withinMs = DAY_MS,
): Upcoming[] {
  const untilMs = nowMs + withinMs;
  const entries = [...jobEntries(jobs, untilMs), ...schedules.flatMap((each) => runEntries(each, nowMs, untilMs))];
  return entries.sort((a, b) => a.atMs - b.atMs || (a.key < b.key ? -1 : 1));
}

function jobEntries(jobs: readonly JobView[], untilMs: number): Upcoming[] {
  const byMinute = new Map<string, { readonly job: JobView; readonly atMs: number }[]>();
  for (const job of jobs) {
    if (job.eta === null) continue;
    const atMs = Date.parse(job.eta);
    if (atMs > untilMs) continue;
    const place = `${Math.floor(atMs / MINUTE_MS)} ${job.pipeline}`;
    byMinute.set(place, [...(byMinute.get(place) ?? []), { job, atMs }]);
  }
  return [...byMinute].flatMap(([place, alike]) => {
    const sorted = alike.toSorted((a, b) => a.atMs - b.atMs);
    if (sorted.length <= MOST_ALIKE) return sorted.map(({ job, atMs }) => entryOf(job.id, atMs, [job]));
    return [
      entryOf(
        place,
        sorted[0]?.atMs ?? 0,
        sorted.map(({ job }) => job),
      ),
    ];
  });
}

const entryOf = (key: string, atMs: number, jobs: readonly JobView[]): Upcoming => ({ kind: 'jobs', key, atMs, jobs });

function runEntries(schedule: ScheduleView, nowMs: number, untilMs: number): Upcoming[] {
  if (!schedule.enabled) return [];
  const times = schedule.next_runs.map((at) => Date.parse(at));
  const within = times.filter((at) => at > nowMs && at <= untilMs);
  const [first] = within;
  if (first === undefined) return [];
  if (times.length >= SHOWN_RUNS && (times.at(-1) ?? 0) <= untilMs) {
    return [{ kind: 'schedule', key: schedule.id, atMs: first, schedule, times: within, goesOn: true }];
  }
  return within.map((atMs) => ({
    ...{ kind: 'schedule', key: `${schedule.id} ${atMs}`, atMs, schedule, times: [atMs], goesOn: false },
  }));
}

/** `Due now`, `Today` or `Tomorrow`, by the reader's clock. */
export function dayOf(atMs: number, nowMs: number): string {
  if (atMs <= nowMs) return 'Due now';
  const day = new Date(atMs).toDateString();
  if (day === new Date(nowMs).toDateString()) return 'Today';
  const tomorrow = new Date(nowMs);
  tomorrow.setDate(tomorrow.getDate() + 1);
  return day === tomorrow.toDateString() ? 'Tomorrow' : day;
}
