import { shiftClock } from '#shared/runtime/clock-shift';

const HOUR_MS = 3_600_000;

describe.each([HOUR_MS, -HOUR_MS])('a clock that is off by %i ms', (byMs) => {
  it('is off wherever it is asked for the time, and nowhere else, until it is taken back', () => {
    const monotonicMs = performance.now();
    const beforeMs = Date.now();
    const takeBack = shiftClock(byMs);
    const said = [Date.now(), new Date().getTime(), Date.parse(Date())];
    const [given, parsed, parts] = [new Date(0), Date.parse('2030-01-01T00:00:00Z'), Date.UTC(2030, 0, 1)];
    expect(given).toBeInstanceOf(Date);
    takeBack();
    const tookMs = Date.now() - beforeMs;
    for (const ms of said) {
      // `Date()` says whole seconds.
      expect(ms).toBeGreaterThan(beforeMs + byMs - 1_001);
      expect(ms).toBeLessThanOrEqual(beforeMs + byMs + tookMs);
    }
    expect([given.toISOString(), parsed]).toEqual(['1970-01-01T00:00:00.000Z', parts]);
    expect(given).toBeInstanceOf(Date);
    expect(tookMs).toBeLessThan(HOUR_MS / 2);
    expect(performance.now() - monotonicMs).toBeLessThan(HOUR_MS / 2);
  });
});
