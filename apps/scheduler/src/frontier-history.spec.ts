import fc from 'fast-check';
import { FrontierHistory } from './frontier-history';

const MARGIN_MS = 20_000;

describe('FrontierHistory', () => {
  it('says nothing before a look is as old as the margin', () => {
    const history = new FrontierHistory(MARGIN_MS);
    expect(history.passed(0)).toBeNull();
    history.add(0, 100);
    expect(history.passed(0)).toBeNull();
    history.add(19_999, 200);
    expect(history.passed(19_999)).toBeNull();
    history.add(20_000, 200);
    expect(history.passed(20_000)).toBe(100);
  });

  it('says what was passed a margin ago and still is: the lesser of the two looks', () => {
    const history = new FrontierHistory(MARGIN_MS);
    for (const [at, frontier] of [
      [0, 100],
      [5_000, 150],
      [20_000, 300],
      [25_000, 120],
    ] as const) {
      history.add(at, frontier);
    }
    expect(history.passed(25_000)).toBe(120);
    history.add(30_000, 900);
    expect(history.passed(30_000)).toBe(150);
    history.add(40_000, 950);
    expect(history.passed(40_000)).toBe(300);
  });

  it('forgets what it saw before the stream was out of reach', () => {
    const history = new FrontierHistory(MARGIN_MS);
    history.add(0, 100);
    history.add(20_000, 100);
    history.forget();
    expect(history.passed(20_000)).toBeNull();
    history.add(20_001, 100);
    expect(history.passed(40_000)).toBeNull();
    history.add(40_001, 100);
    expect(history.passed(40_001)).toBe(100);
  });

  it('compares the newest look with the newest one that is old enough, in any sequence of looks', () => {
    const looks = fc.array(fc.tuple(fc.integer({ min: 0, max: 15_000 }), fc.nat(1_000)), { minLength: 1 });
    fc.assert(
      fc.property(looks, (steps) => {
        const history = new FrontierHistory(MARGIN_MS);
        const all: { at: number; frontier: number }[] = [];
        let now = 0;
        for (const [pause, frontier] of steps) {
          now += pause;
          history.add(now, frontier);
          all.push({ at: now, frontier });
          const old = all.findLast((look) => look.at <= now - MARGIN_MS);
          expect(history.passed(now)).toBe(old ? Math.min(frontier, old.frontier) : null);
        }
      }),
    );
  });
});
