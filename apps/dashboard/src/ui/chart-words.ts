import { clockTime } from '#shared/domain/words';

/** The tokens of styles.css that lines are drawn in. Each line of a chart has a pattern of dashes of its own as well. */
export const TONES = ['accent', 'warn', 'held', 'good', 'bad', 'busy'] as const;
export type Tone = (typeof TONES)[number];

/** Lengths of line and gap; none: unbroken. */
export const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [14, 4]];

/** One line of a chart over time. */
export interface ChartLine {
  readonly label: string;
  readonly tone: Tone;
  /** One for each time of the chart; null where there is none. */
  readonly values: readonly (number | null)[];
}

/** How a value is said, e.g. `3.2s`. */
export type Format = (value: number) => string;

/** `18:30`, of a time in ms since 1970. */
export const minuteTime = (ms: number): string => clockTime(new Date(ms).toISOString()).slice(0, 5);

export const said = (value: number | null | undefined, format: Format): string =>
  value === null || value === undefined ? '–' : format(value);

/** A value beside an axis, where room is scarce: `4s`, not `4.0s`. */
export const axisText = (value: number, format: Format): string =>
  value === 0 ? '0' : format(value).replace(/\.0(?=\D|$)/, '');

/** What a chart shows, for those who do not see it: of each line the latest value and the greatest. */
export function chartSummary(
  title: string,
  { timesMs, lines, format }: { timesMs: readonly number[]; lines: readonly ChartLine[]; format: Format },
): string {
  const parts = lines.map(({ label, values }) => {
    const most = greatest(values);
    if (most === null) return `${label}: none.`;
    const at = minuteTime(timesMs[most.index] ?? 0);
    return `${label}: ${said(
      values.findLast((value) => value !== null),
      format,
    )} last, ${format(most.value)} at most, at ${at}.`;
  });
  return [`${title}.`, ...parts].join(' ');
}

/** Where a line is highest, the latest of equals; null when it has no values. */
export function greatest(
  values: readonly (number | null)[],
): { readonly index: number; readonly value: number } | null {
  let most: { index: number; value: number } | null = null;
  values.forEach((value, index) => {
    if (value !== null && (most === null || value >= most.value)) most = { index, value };
  });
  return most;
}

/** The indexes of times at which any line has a value other than 0, the latest first: the rows of the chart's table. */
export const tableRows = (timesMs: readonly number[], lines: readonly ChartLine[]): number[] =>
  timesMs
    .map((_, index) => index)
    .filter((index) => lines.some(({ values }) => (values[index] ?? 0) !== 0))
    .reverse();

/** Values with none on either side, of which a line alone would show nothing. */
export const lonelyPoints = (values: readonly (number | null | undefined)[]): number[] =>
  values.flatMap((value, index) =>
    isThere(value) && !isThere(values[index - 1]) && !isThere(values[index + 1]) ? [index] : [],
  );

const isThere = (value: number | null | undefined): boolean => value !== null && value !== undefined;
