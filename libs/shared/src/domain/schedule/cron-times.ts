import { type CronCalendar, parseCron } from '#shared/domain/schedule/cron';
import { timeZone, type TimeZone } from '#shared/domain/schedule/time-zone';

/** When a cron is due in a zone. All times are milliseconds since 1970, whole seconds when given. */
export interface CronTimes {
  /** The first time after `afterMs`; null when it never comes. */
  next(afterMs: number): number | null;
  /** The last time before `beforeMs`; null when there was none. */
  previous(beforeMs: number): number | null;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
/** A clock that is set back shows the same times again for no longer than this. */
const LONGEST_REPEAT_MS = 3 * HOUR_MS;
/** A zone's offset and any change of it, a skipped day included, lie within it. */
const AROUND_MS = 48 * HOUR_MS;
/** The rarest day, a 29 February that is a fifth Friday, comes after 40 years at most. What is rarer never comes. */
const LONGEST_WAIT_MS = 41 * 365.25 * 24 * HOUR_MS;

const wholeSecond = (ms: number): number => Math.floor(ms / SECOND_MS) * SECOND_MS;

/**
 * The times of a cron in a zone, where clocks are changed:
 * - A cron with fixed hours, minutes and seconds is due at the first moment at which the zone's clock has reached the
 *   time that it names. So what was skipped is due right after the gap, once; what comes twice, the first time only.
 * - One with a `*` or a step in one of them is due whenever the clock shows a time that fits: real time goes on
 *   evenly through a repeated hour, and there is nothing in a gap.
 * The library's own rules lose a fixed time in a gap that ends the next day (America/Nuuk), hence not used.
 * @throws when the cron or the zone is none: both were checked before
 */
export function cronTimes(cron: string, zoneName: string): CronTimes {
  const parsed = parseCron(cron);
  const zone = timeZone(zoneName);
  if (!parsed.ok) throw new Error(`the cron ${JSON.stringify(cron)}: ${parsed.message}`);
  if (!zone) throw new Error(`there is no time zone ${JSON.stringify(zoneName)}`);
  return parsed.calendar.goesByRealTime ? realTimes(parsed.calendar, zone) : fixedTimes(parsed.calendar, zone);
}

/** The next times, at most `count`. */
export function nextTimes(times: CronTimes, afterMs: number, count: number): number[] {
  const found: number[] = [];
  for (let at: number | null = afterMs; found.length < count;) {
    at = times.next(at);
    if (at === null) break;
    found.push(at);
  }
  return found;
}

function fixedTimes(calendar: CronCalendar, zone: TimeZone): CronTimes {
  return {
    next: (afterMs) => {
      let wall: number | null = wholeSecond(afterMs) + zone.offsetMs(afterMs);
      while ((wall = calendar.next(wall)) !== null) {
        const at = firstMomentOf(wall, zone);
        if (at > afterMs) return at;
      }
      return null;
    },
    previous: (beforeMs) => {
      const lastMs = beforeMs - 1;
      const offset = zone.offsetMs(lastMs);
      // In the second pass of a repeated hour the clock has shown later times than it does now.
      const shownMs = Math.max(0, zone.offsetMs(lastMs - LONGEST_REPEAT_MS) - offset);
      let wall: number | null = wholeSecond(lastMs) + offset + shownMs + SECOND_MS;
      while ((wall = calendar.previous(wall)) !== null) {
        const at = firstMomentOf(wall, zone);
        if (at <= lastMs) return at;
      }
      return null;
    },
  };
}

/** The first moment at which the zone's clock shows that time, or a later one. */
function firstMomentOf(wallMs: number, zone: TimeZone): number {
  const before = zone.offsetMs(wallMs - AROUND_MS);
  const after = zone.offsetMs(wallMs + AROUND_MS);
  if (before === after || zone.offsetMs(wallMs - before) === before) return wallMs - before;
  if (zone.offsetMs(wallMs - after) === after) return wallMs - after;
  return zone.firstChange(wallMs - AROUND_MS, wallMs + AROUND_MS) ?? wallMs - after;
}

/** Stretch by stretch between the changes of the clock. */
function realTimes(calendar: CronCalendar, zone: TimeZone): CronTimes {
  return {
    next: (afterMs) => {
      let from = afterMs;
      let offset = zone.offsetMs(from);
      let wall = wholeSecond(from) + offset;
      while (from - afterMs < LONGEST_WAIT_MS) {
        const next = calendar.next(wall);
        if (next === null) return null;
        const change = zone.firstChange(from, next - offset);
        if (change === null) return next - offset;
        from = change;
        offset = zone.offsetMs(from);
        wall = from + offset - SECOND_MS;
      }
      return null;
    },
    previous: (beforeMs) => {
      let last = wholeSecond(beforeMs - 1);
      let offset = zone.offsetMs(last);
      while (beforeMs - last < LONGEST_WAIT_MS) {
        const previous = calendar.previous(last + offset + SECOND_MS);
        if (previous === null) return null;
        const change = zone.lastChange(previous - offset, last);
        if (change === null) return previous - offset;
        last = change - SECOND_MS;
        offset = zone.offsetMs(last);
      }
      return null;
    },
  };
}
