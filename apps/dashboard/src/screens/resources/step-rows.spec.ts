import fc from 'fast-check';
import { inPlace, mostOf, type Order, orderAfter, orderOf, orderText, sorted, type StepRow } from './step-rows';

const row = (name: string, p95: number | null = null, failures = 0): StepRow => ({
  ...{ name, pipeline: 'p', attempts: 1, failures, retries: 0, avg: p95, p50: p95, p95, max: p95 },
  ...{ cpu: null, cpuMax: null, memory: null, memoryMax: null },
});
const names = (rows: readonly StepRow[]): string => rows.map(({ name }) => name).join(' ');

it('sorts by any column, those without a figure last', () => {
  const rows = [row('b', 1), row('none'), row('a', 1), row('c', 7)];
  expect(names(sorted(rows, { column: 'p95', isDown: true }))).toBe('c a b none');
  expect(names(sorted(rows, { column: 'p95', isDown: false }))).toBe('a b c none');
  expect(names(sorted(rows, { column: 'name', isDown: true }))).toBe('none c b a');
});

it('keeps every row, whatever the order', () => {
  const rows = fc.array(fc.tuple(fc.string(), fc.option(fc.nat())).map(([name, p95]) => row(name, p95)));
  fc.assert(
    fc.property(rows, fc.boolean(), (given, isDown) => {
      const result = sorted(given, { column: 'p95', isDown });
      expect(new Set(result)).toEqual(new Set(given));
      const known = result.map(({ p95 }) => p95).filter((p95) => p95 !== null);
      expect(known).toEqual([...known].sort((a, b) => (isDown ? b - a : a - b)));
    }),
  );
});

it('keeps rows in their places, and puts new ones after them', () => {
  expect(names(inPlace([row('new'), row('a'), row('b')], ['b', 'gone', 'a']))).toBe('b a new');
});

it('takes the order from an address, and back', () => {
  expect(orderOf(null)).toEqual({ column: 'p95', isDown: true });
  expect(orderOf('-nonsense')).toEqual({ column: 'p95', isDown: true });
  expect(orderOf('pipeline')).toEqual({ column: 'p95', isDown: true });
  for (const text of ['name', '-name', 'memoryMax', '-attempts']) expect(orderText(orderOf(text))).toBe(text);
});

it('turns round at the second click; figures begin with the greatest, names with the first', () => {
  const first: Order = { column: 'p95', isDown: true };
  expect(orderAfter(first, 'p95')).toEqual({ column: 'p95', isDown: false });
  expect(orderAfter(first, 'cpu')).toEqual({ column: 'cpu', isDown: true });
  expect(orderAfter(first, 'name')).toEqual({ column: 'name', isDown: false });
});

it('finds what stands out, if anything does', () => {
  const rows = [row('a', 2), row('b', 9), row('c', null, 3)];
  expect(mostOf(rows, 'p95')?.name).toBe('b');
  expect(mostOf(rows, 'failures')?.name).toBe('c');
  expect(mostOf(rows, 'retries')).toBeNull();
  expect(mostOf([], 'p95')).toBeNull();
});
