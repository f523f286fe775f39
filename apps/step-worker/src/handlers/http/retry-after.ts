const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The three forms of RFC 9110: IMF-fixdate, that of RFC 850, and that of C's asctime. All of them are in UTC. */
const DATE_FORMS = [
  /^[a-z]{3}, (?<day>\d{2}) (?<month>[a-z]{3}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/i,
  /^[a-z]{6,9}, (?<day>\d{2})-(?<month>[a-z]{3})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/i,
  /^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/i,
];

/** Milliseconds since 1970 of an HTTP date; undefined when it is none. */
export function httpDateMs(text: string): number | undefined {
  for (const form of DATE_FORMS) {
    const { day, month, year, time } = form.exec(text.trim())?.groups ?? {};
    if (day === undefined || month === undefined || year === undefined || time === undefined) continue;
    const monthIndex = MONTHS.indexOf(month.toLowerCase());
    const [hours = NaN, minutes = NaN, seconds = NaN] = time.split(':').map(Number);
    if (monthIndex < 0 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
    // Two digits of a year: what would be more than half a century ahead is past.
    const short = Number(year);
    const fullYear = year.length === 4 ? short : short + (short < 70 ? 2000 : 1900);
    return Date.UTC(fullYear, monthIndex, Number(day), hours, minutes, seconds);
  }
  return undefined;
}

/**
 * How long `Retry-After` asks to wait, in milliseconds; undefined when it says nothing that can be understood.
 * @param date the answer's own `Date`: what it calls now. Clocks of two machines may be an hour apart
 * @param nowMs by this machine's clock, for an answer without a date
 */
export function retryAfterMs(
  retryAfter: string | undefined,
  date: string | undefined,
  nowMs: number,
): number | undefined {
  const text = retryAfter?.trim() ?? '';
  if (/^\d{1,12}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000);
  const atMs = httpDateMs(text);
  if (atMs === undefined) return undefined;
  return Math.max(0, atMs - (httpDateMs(date ?? '') ?? nowMs));
}
