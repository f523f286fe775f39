/**
 * A histogram that can be merged: from many of them one is made that says the same of all their values as if it had seen
 * each. Count, sum, least and most are exact; a quantile is off by at most 2.5 % of its value.
 *
 * The thresholds are the same for every sketch: 1, 2 and 5 times each power of ten, and between them steps of about 5 %
 * (15, 20 and 15 of them). So the round bounds that Prometheus is given are thresholds too, and its counts are exact.
 */

const LEAST_POWER = -2;
const MOST_POWER = 9;
const SEGMENTS = [
  { from: 1, to: 2, steps: 15 },
  { from: 2, to: 5, steps: 20 },
  { from: 5, to: 10, steps: 15 },
] as const;

/** In rising order, from 0.01 to 10^9. A value that is a threshold counts below it, as in Prometheus (`le`). */
export const THRESHOLDS: readonly number[] = thresholds();

function thresholds(): number[] {
  const found: number[] = [];
  for (let power = LEAST_POWER; power < MOST_POWER; power++) {
    for (const { from, to, steps } of SEGMENTS) {
      // The round one as it is written: 10 ** -2 * 2 is not 0.02.
      for (let step = 0; step < steps; step++) {
        const factor = (to / from) ** (step / steps);
        found.push(Number(`${from}e${power}`) * factor);
      }
    }
  }
  found.push(Number(`1e${MOST_POWER}`));
  return found;
}

/** How many thresholds are less than the value: the number of its bucket. */
export function bucketOf(value: number): number {
  let low = 0;
  let high = THRESHOLDS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((THRESHOLDS[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A sketch as it is stored and sent: `buckets` counts values by the number of their bucket. */
export interface SketchJson {
  readonly count: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly buckets: Readonly<Record<string, number>>;
}

/** How a set of values is spread. */
export class Sketch {
  count = 0;
  sum = 0;
  min = Infinity;
  max = -Infinity;
  private readonly buckets = new Map<number, number>();

  static from(json: SketchJson): Sketch {
    const sketch = new Sketch();
    sketch.addBuckets(
      json,
      Object.entries(json.buckets).map(([bucket, count]) => [Number(bucket), count]),
    );
    return sketch;
  }

  observe(value: number): void {
    this.count += 1;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const bucket = bucketOf(value);
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + 1);
  }

  /** Adds values that somebody else has counted by bucket. */
  addBuckets(
    { count, sum, min, max }: Pick<SketchJson, 'count' | 'sum' | 'min' | 'max'>,
    buckets: Iterable<readonly [bucket: number, count: number]>,
  ): void {
    this.count += count;
    this.sum += sum;
    if (min !== null && min < this.min) this.min = min;
    if (max !== null && max > this.max) this.max = max;
    for (const [bucket, more] of buckets) this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + more);
  }

  merge(other: Sketch): void {
    const { count, sum, min, max } = other;
    this.addBuckets({ count, sum, min, max }, other.buckets);
  }

  /** Null when there are no values. */
  get avg(): number | null {
    return this.count === 0 ? null : this.sum / this.count;
  }

  /**
   * The value that a share `q` (0…1) of the values does not exceed, by nearest rank: the geometric middle of its bucket,
   * within what was seen. Null when there are no values.
   */
  quantile(q: number): number | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(q * this.count));
    // The first and the last are known exactly.
    if (rank === 1) return this.min;
    if (rank >= this.count) return this.max;
    let seen = 0;
    for (const [bucket, count] of this.sorted()) {
      seen += count;
      if (seen >= rank) return Math.min(this.max, Math.max(this.min, middleOf(bucket)));
    }
    return this.max;
  }

  /** How many values do not exceed each of the bounds, which are thresholds in rising order. */
  cumulative(bounds: readonly number[]): number[] {
    const sorted = this.sorted();
    let next = 0;
    let seen = 0;
    return bounds.map((bound) => {
      const last = bucketOf(bound);
      for (; next < sorted.length && (sorted[next]?.[0] ?? Infinity) <= last; next++) seen += sorted[next]?.[1] ?? 0;
      return seen;
    });
  }

  toJSON(): SketchJson {
    const { count, sum } = this;
    const [min, max] = count === 0 ? [null, null] : [this.min, this.max];
    return { count, sum, min, max, buckets: Object.fromEntries(this.buckets) };
  }

  private sorted(): [bucket: number, count: number][] {
    return [...this.buckets].sort(([a], [b]) => a - b);
  }
}

function middleOf(bucket: number): number {
  const above = THRESHOLDS[Math.min(bucket, THRESHOLDS.length - 1)] as number;
  const below = bucket === 0 ? 0 : (THRESHOLDS[bucket - 1] as number);
  return Math.sqrt(below * above);
}
