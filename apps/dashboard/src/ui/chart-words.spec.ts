import {
  axisText,
  type ChartLine,
  chartSummary,
  greatest,
  lonelyPoints,
  minuteTime,
  said,
  tableRows,
} from './chart-words';

const lineOf = (...values: (number | null)[]): ChartLine => ({ label: 'failed', tone: 'bad', values });
const timesMs = [0, 60_000, 120_000].map((ms) => Date.parse('2030-01-01T10:00:00Z') + ms);
const format = (value: number): string => `${value}s`;

it('says of each line the latest and the greatest value', () => {
  expect(chartSummary('Run time', { timesMs, lines: [lineOf(1, 5, null), lineOf(null)], format })).toBe(
    `Run time. failed: 5s last, 5s at most, at ${minuteTime(timesMs[1] ?? 0)}. failed: none.`,
  );
});

it('finds the latest of the greatest', () => {
  expect(greatest([0, 7, null, 7, 3])).toEqual({ index: 3, value: 7 });
  expect(greatest([null])).toBeNull();
});

it('lists the times that have something, the latest first', () => {
  expect(tableRows(timesMs, [lineOf(1, 0, null), lineOf(null, null, 2)])).toEqual([2, 0]);
});

it('finds values that stand alone', () => {
  expect(lonelyPoints([1, null, 2, 3, null, undefined, 4])).toEqual([0, 6]);
});

it('says a dash where there is none', () => {
  expect([said(null, format), said(undefined, format), said(0, format)]).toEqual(['–', '–', '0s']);
});

it('is short beside an axis', () => {
  const megabytes = (value: number): string => `${value.toFixed(1)} MB`;
  expect([0, 4, 150.5].map((value) => axisText(value, megabytes))).toEqual(['0', '4 MB', '150.5 MB']);
});
