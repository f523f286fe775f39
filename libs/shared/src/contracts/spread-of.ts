import { Sketch } from '#shared/domain/usage/sketch';

/** To the thousandth: a millisecond, where the unit is a second. */
export const rounded = (value: number | null): number | null =>
  value === null ? null : Math.round(value * 1_000) / 1_000;

export function mergedSketch(sketches: Iterable<Sketch>): Sketch {
  const all = new Sketch();
  for (const sketch of sketches) all.merge(sketch);
  return all;
}

/** Average and extremes; null when there are no values. */
export function spreadOf({ count, avg, min, max }: Sketch): Record<'avg' | 'min' | 'max', number | null> {
  if (count === 0) return { avg: null, min: null, max: null };
  return { avg: rounded(avg), min: rounded(min), max: rounded(max) };
}

/** The value in seconds that a share `q` (0…1) of the values does not exceed. @param ms a sketch of milliseconds */
export function quantileSeconds(ms: Sketch, q: number): number | null {
  return seconds(ms.quantile(q));
}

/** @param ms a sketch of milliseconds */
export function secondsOf(ms: Sketch): Record<'avg' | 'min' | 'max' | 'p50' | 'p95' | 'p99', number | null> {
  const [min, max] = ms.count === 0 ? [null, null] : [ms.min, ms.max];
  return {
    ...{ avg: seconds(ms.avg), min: seconds(min), max: seconds(max) },
    ...{ p50: quantileSeconds(ms, 0.5), p95: quantileSeconds(ms, 0.95), p99: quantileSeconds(ms, 0.99) },
  };
}

const seconds = (ms: number | null): number | null => rounded(ms === null ? null : ms / 1_000);
