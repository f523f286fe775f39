const UNITS_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** What a duration may look like, for messages about one that does not. */
export const DURATION_FORMS = '500ms, 10s, 5m, 2h, 30d or a number of seconds';

/** A hundred years: more is a slip of the pen, and it keeps every sum of durations an exact number. */
export const MAX_DURATION_MS = 100 * 365 * 86_400_000;

/**
 * Milliseconds, rounded to whole ones, of a duration as people write it: `500ms`, `10s`, `5m`, `2h`, `30d`, or a
 * number of seconds (as a number or in a string). Fractions are allowed, negative ones are not.
 * @throws RangeError that says what was expected and what was found
 */
export function parseDuration(value: string | number): number {
  const durationMs = typeof value === 'number' ? value * 1_000 : millisecondsOf(value);
  if (Number.isFinite(durationMs) && durationMs >= 0 && durationMs <= MAX_DURATION_MS) return Math.round(durationMs);
  throw new RangeError(
    `expected a duration (${DURATION_FORMS}), found ${typeof value === 'number' ? String(value) : JSON.stringify(value)}`,
  );
}

function millisecondsOf(text: string): number {
  const [, amount, unit = 's'] = /^(\d{1,15}(?:\.\d{1,9})?) ?(ms|s|m|h|d)?$/.exec(text.trim()) ?? [];
  return amount === undefined ? Number.NaN : Number(amount) * (UNITS_MS.get(unit) ?? Number.NaN);
}

/** The shortest exact way to write that many whole milliseconds: 90000 → `90s`, 60000 → `1m`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  const [unit, unitMs] = [...UNITS_MS].reverse().find(([, lengthMs]) => durationMs % lengthMs === 0) ?? ['ms', 1];
  return `${durationMs / unitMs}${unit}`;
}
