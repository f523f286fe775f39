/** A point in time in seconds since 1970, or why the value is none. */
export type TimeParse =
  { readonly ok: true; readonly seconds: number } | { readonly ok: false; readonly message: string };

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?([Zz]|[+-]\d\d(?::?\d\d)?)?$/;
const EXPECTED = 'expected ISO 8601 with an offset or Z, like 2030-01-31T08:00:00Z';

/** From here on a number of seconds is past the year 5138: whoever sends it counts in milliseconds, or finer. */
export const MILLISECONDS_FROM = 1e11;
/** 0001-01-01T00:00:00Z: what Postgres and JavaScript write in the same way begins here. */
const FIRST_SECOND = -62_135_596_800;
const YEARS_AHEAD = 10;

/**
 * When a job shall start.
 * @param value ISO 8601 with an offset or Z, or Unix seconds (fractions allowed)
 * @param nowMs the caller's clock; only for "more than ten years ahead"
 */
export function parseEta(value: string | number, nowMs: number): TimeParse {
  if (typeof value === 'number') return numericEta(value, nowMs);
  if (value.trim() !== '' && Number.isFinite(Number(value))) {
    return refuse('is a number in a string: send Unix seconds as a number, or ISO 8601 with an offset or Z');
  }
  const parsed = parseIsoTime(value);
  return parsed.ok ? withinTenYears(parsed.seconds, nowMs) : parsed;
}

/** Whether a countdown is one. @param seconds from now on; @returns what is wrong, or null */
export function countdownFault(seconds: number, nowMs: number): string | null {
  if (!Number.isFinite(seconds) || seconds < 0) return 'must be 0 or more seconds';
  const parsed = withinTenYears(nowMs / 1_000 + seconds, nowMs);
  return parsed.ok ? null : parsed.message;
}

/** A time as ISO 8601 that says its offset. */
export function parseIsoTime(text: string): TimeParse {
  const [found, year, month, day, hour, minute, second = '00', fraction = '', zone] = ISO.exec(text) ?? [];
  if (found === undefined) return refuse(EXPECTED);
  const offsetMinutes = zone === undefined ? 0 : offsetOf(zone);
  const clock = [hour ?? '00', minute ?? '00', second].map(Number);
  const midnightMs = dayOf(Number(year), Number(month), Number(day));
  if (midnightMs === null) return refuse('there is no such day');
  const [hours = 0, minutes = 0, seconds = 0] = clock;
  if (hours > 23 || minutes > 59 || seconds > 59 || offsetMinutes === null)
    return refuse('there is no such time of day');
  if (zone === undefined || hour === undefined) {
    return refuse('has no offset: add Z, or the offset from UTC like +02:00');
  }
  const wholeSeconds = midnightMs / 1_000 + hours * 3_600 + (minutes - offsetMinutes) * 60 + seconds;
  const at = wholeSeconds + Number(`0.${fraction || '0'}`);
  return at < FIRST_SECOND ? refuse('is before the year 1') : { ok: true, seconds: at };
}

/** Midnight UTC in milliseconds; null for a day that the calendar does not have. */
function dayOf(year: number, month: number, day: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : null;
}

function offsetOf(zone: string): number | null {
  if (/^z$/i.test(zone)) return 0;
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function numericEta(seconds: number, nowMs: number): TimeParse {
  if (!Number.isFinite(seconds)) return refuse('is not a number that can be a time');
  if (seconds >= MILLISECONDS_FROM) return refuse('can only be milliseconds: send Unix seconds');
  if (seconds < FIRST_SECOND) return refuse('is before the year 1');
  return withinTenYears(seconds, nowMs);
}

function withinTenYears(seconds: number, nowMs: number): TimeParse {
  const latest = new Date(nowMs);
  latest.setUTCFullYear(latest.getUTCFullYear() + YEARS_AHEAD);
  return seconds * 1_000 > latest.getTime() ? refuse('is more than ten years ahead') : { ok: true, seconds };
}

const refuse = (message: string): TimeParse => ({ ok: false, message });
