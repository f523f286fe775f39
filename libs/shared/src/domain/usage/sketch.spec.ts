import * as fc from 'fast-check';
import { bucketOf, Sketch, THRESHOLDS } from '#shared/domain/usage/sketch';

const value = fc.double({ min: 0.011, max: 9e8, noNaN: true });
const anyValue = fc.oneof(value, fc.constantFrom(0, 0.001, 1e12, ...THRESHOLDS.slice(0, 60)));
const values = fc.array(anyValue, { maxLength: 200 });

function sketchOf(seen: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const each of seen) sketch.observe(each);
  return sketch;
}

/** All but the sum, which depends on the order by the last bit. */
const exactPart = (sketch: Sketch): object => ({ ...sketch.toJSON(), sum: undefined });

function merged(...sketches: Sketch[]): Sketch {
  const all = new Sketch();
  for (const sketch of sketches) all.merge(sketch);
  return all;
}

describe('a sketch', () => {
  it('of parts, merged in any order, says what one of all values says', () => {
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const whole = sketchOf([...a, ...b, ...c]);
        const forth = merged(merged(sketchOf(a), sketchOf(b)), sketchOf(c));
        const back = merged(sketchOf(c), merged(sketchOf(b), sketchOf(a)));
        for (const one of [forth, back]) {
          expect(exactPart(one)).toEqual(exactPart(whole));
          expect(Math.abs(one.sum - whole.sum)).toBeLessThanOrEqual(1e-9 * whole.sum);
        }
      }),
    );
  });

  it('comes back from JSON as it was', () => {
    fc.assert(
      fc.property(values, (seen) => {
        const json = JSON.stringify(sketchOf(seen));
        expect(JSON.stringify(Sketch.from(JSON.parse(json) as never))).toBe(json);
      }),
    );
  });

  it('is off by at most 2.5 % in a quantile', () => {
    const some = fc.array(value, { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(some, fc.double({ min: 0, max: 1, noNaN: true }), (seen, q) => {
        const sorted = [...seen].sort((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil(q * seen.length)) - 1] ?? NaN;
        expect(Math.abs((sketchOf(seen).quantile(q) ?? NaN) - exact)).toBeLessThanOrEqual(0.025 * exact);
      }),
    );
  });

  it('knows least, most, sum and count exactly, and nothing of no values', () => {
    const sketch = sketchOf([3, 1, 2]);
    expect([sketch.min, sketch.max, sketch.sum, sketch.count, sketch.avg]).toEqual([1, 3, 6, 3, 2]);
    expect([new Sketch().avg, new Sketch().quantile(0.5)]).toEqual([null, null]);
    expect(new Sketch().toJSON()).toEqual({ count: 0, sum: 0, min: null, max: null, buckets: {} });
  });

  it('counts what does not exceed a bound exactly, as Prometheus wants it', () => {
    const bounds = [0.01, 0.05, 1, 20, 500, 1e9];
    expect(bounds.filter((bound) => !THRESHOLDS.includes(bound))).toEqual([]);
    const seen = fc.array(fc.oneof(value, fc.constantFrom(...bounds)), { maxLength: 100 });
    fc.assert(
      fc.property(seen, (all) => {
        const exact = bounds.map((bound) => all.filter((each) => each <= bound).length);
        expect(sketchOf(all).cumulative(bounds)).toEqual(exact);
      }),
    );
  });

  it('puts a value that is a threshold below it', () => {
    expect(THRESHOLDS.map(bucketOf)).toEqual(THRESHOLDS.map((_, index) => index));
    expect([...THRESHOLDS].sort((a, b) => a - b)).toEqual(THRESHOLDS);
    expect(bucketOf(2e9)).toBe(THRESHOLDS.length);
  });
});
