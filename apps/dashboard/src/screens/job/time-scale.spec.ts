import fc from 'fast-check';
import { timeScale } from './time-scale';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

const stretches = fc.array(
  fc.record({ from: fc.nat(10 * HOUR), long: fc.nat(HOUR) }).map(({ from, long }) => ({ from, to: from + long })),
  { minLength: 1, maxLength: 30 },
);

describe('a time scale', () => {
  it('goes from the first to the last', () => {
    const scale = timeScale([
      { from: 10_000, to: 12_000 },
      { from: 11_000, to: 20_000 },
    ]);
    expect([10_000, 15_000, 20_000].map(scale.at)).toEqual([0, 0.5, 1]);
    expect(scale.ticks.map(({ afterMs }) => afterMs)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    expect(scale.cuts).toEqual([]);
  });

  it('cuts out a long pause, and leaves a short one', () => {
    const first = { from: 0, to: 10 * SECOND };
    const nextDay = { from: 24 * HOUR, to: 24 * HOUR + 10 * SECOND };
    const cut = timeScale([first, nextDay]);
    expect(cut.cuts.map(({ ms }) => ms)).toEqual([24 * HOUR - 10 * SECOND]);
    expect(cut.at(10 * SECOND)).toBeCloseTo(0.485);
    expect(cut.at(12 * HOUR)).toBeCloseTo(0.485);
    expect(cut.at(24 * HOUR)).toBeCloseTo(0.515);
    expect(timeScale([first, { from: 14 * SECOND, to: 20 * SECOND }]).cuts).toEqual([]);
  });

  it('has something for what took no time at all', () => {
    const scale = timeScale([{ from: 5, to: 5 }]);
    expect(scale.at(5)).toBe(0);
    expect(timeScale([]).ticks).toEqual([]);
  });

  it('never goes backwards, stays within the axis, and has few ticks', () => {
    fc.assert(
      fc.property(stretches, (bars) => {
        const scale = timeScale(bars);
        const times = bars.flatMap(({ from, to }) => [from, to]).sort((a, b) => a - b);
        const places = times.map(scale.at);
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(places[0]).toBe(0);
        expect(Math.max(...places)).toBeLessThanOrEqual(1);
        for (const { at } of scale.ticks) expect(at >= 0 && at <= 1).toBe(true);
        expect(scale.ticks.length).toBeLessThanOrEqual(7 + 2 * scale.cuts.length);
      }),
    );
  });
});
