import { SHOWN_RUNS, type ScheduleJob, type ScheduleView } from '#shared/contracts/schedule';
import type { CatchUp } from '#shared/domain/schedule/catch-up';
import { parseCron } from '#shared/domain/schedule/cron';
import { cronTimes, nextTimes } from '#shared/domain/schedule/cron-times';
import { cronWords } from '#shared/domain/schedule/cron-words';
import type { Overlap } from '#shared/domain/schedule/overlap';
import { timeZone } from '#shared/domain/schedule/time-zone';
import type { JobStatus } from '#shared/domain/status';
import { millis } from '#shared/store/schedules/tick-statements';

/** A schedule as it is read, with the newest of its jobs: by `jobs_schedule`. */
export interface ScheduleRow {
  readonly id: string;
  readonly cron: string;
  readonly timezone: string;
  readonly job: ScheduleJob;
  readonly enabled: boolean;
  readonly overlap: Overlap;
  readonly catch_up: CatchUp;
  readonly description: string | null;
  readonly next_ms: number | null;
  readonly skipped_count: string;
  readonly last_skipped_at: Date | null;
  readonly missed_count: string;
  readonly last_error: { readonly message: string; readonly due_at: string; readonly at: string } | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly now_ms: number;
  readonly last_jobs: readonly LastJobRow[];
}

interface LastJobRow {
  readonly id: string;
  readonly status: JobStatus;
  readonly eta: string | null;
  readonly created_at: string;
}

/** Of a schedule `s`. */
export const SCHEDULE_COLUMNS = `
s.id, s.cron, s.timezone, s.job, s.enabled, s.overlap, s.catch_up, s.description, ${millis('s.next_at')} AS next_ms,
s.skipped_count, s.last_skipped_at, s.missed_count, s.last_error, s.created_at, s.updated_at, ${millis('now()')} AS now_ms,
(SELECT coalesce(json_agg(j), '[]') FROM (
   SELECT id, status, eta, created_at FROM jobs WHERE schedule_id = s.id AND schedule_id IS NOT NULL
   ORDER BY created_at DESC, id DESC LIMIT ${SHOWN_RUNS}) j) AS last_jobs`;

/** What outsiders see of it. */
export function scheduleViewOf(row: ScheduleRow): ScheduleView {
  const { id, cron, timezone, job, enabled, overlap, catch_up, description, last_error } = row;
  return {
    ...{ id, cron, cron_text: cronWords(cron), timezone, job },
    ...{ enabled, overlap, catch_up, description },
    next_runs: nextRunsOf(row),
    last_jobs: row.last_jobs.map((last) => ({
      ...{ id: last.id, status: last.status, due_at: last.eta === null ? null : iso(last.eta) },
      created_at: iso(last.created_at),
    })),
    skipped_count: Number(row.skipped_count),
    last_skipped_at: row.last_skipped_at?.toISOString() ?? null,
    missed_count: Number(row.missed_count),
    last_error: last_error && { message: last_error.message, due_at: last_error.due_at, at: iso(last_error.at) },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** None of one whose zone this version of Node does not know: it is to be seen, and mended, all the same. */
function nextRunsOf({ cron, timezone, next_ms, now_ms }: ScheduleRow): string[] {
  if (next_ms === null || timeZone(timezone) === null || !parseCron(cron).ok) return [];
  return nextTimes(cronTimes(cron, timezone), now_ms, SHOWN_RUNS).map((at) => new Date(at).toISOString());
}

const iso = (time: string): string => new Date(time).toISOString();
