import * as fc from 'fast-check';
import { formatDuration, MAX_DURATION_MS, parseDuration } from '#shared/domain/duration';

const wholeMs = fc.integer({ min: 0, max: MAX_DURATION_MS });
const units = fc.constantFrom(['ms', 1], ['s', 1_000], ['m', 60_000], ['h', 3_600_000], ['d', 86_400_000]);

describe('parseDuration', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['30d', 2_592_000_000],
    ['1.5s', 1_500],
    [' 10 s ', 10_000],
    ['30', 30_000],
    [30, 30_000],
    [0.25, 250],
    [0, 0],
    ['0.0004s', 0],
  ])('reads %p as %i ms', (value, expectedMs) => expect(parseDuration(value)).toBe(expectedMs));

  it.each([
    '',
    ' ',
    's',
    '-1s',
    '+1s',
    '1 0s',
    '1w',
    '10S',
    '5min',
    '1e3',
    '0x10',
    '1m30s',
    '1,5s',
    '.5s',
    '5.',
    'NaN',
    'Infinity',
    '99999999999d',
    '10s\n11s',
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e15,
  ])('refuses %p and says what it found', (value) =>
    expect(() => parseDuration(value)).toThrow(/expected a duration \(500ms, .*\), found /),
  );

  it('takes every unit by its length', () => {
    fc.assert(
      fc.property(units, fc.integer({ min: 0, max: 36_500 }), ([unit, unitMs], amount) => {
        expect(parseDuration(`${amount}${unit}`)).toBe(amount * Number(unitMs));
      }),
    );
  });

  it('gives a whole number within the limit, or a RangeError, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^\d{1,4}\.?\d{0,3}(ms|s|m|h|d)?$/)),
        (value) => {
          let durationMs: number;
          try {
            durationMs = parseDuration(value);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            return;
          }
          expect(Number.isInteger(durationMs)).toBe(true);
          expect(durationMs).toBeGreaterThanOrEqual(0);
          expect(durationMs).toBeLessThanOrEqual(MAX_DURATION_MS);
        },
      ),
    );
  });

  it('never calls a longer number of seconds shorter', () => {
    const seconds = fc.double({ min: 0, max: MAX_DURATION_MS / 1_000, noNaN: true });
    fc.assert(
      fc.property(seconds, seconds, (one, other) => {
        expect(parseDuration(Math.min(one, other))).toBeLessThanOrEqual(parseDuration(Math.max(one, other)));
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [999, '999ms'],
    [60_000, '1m'],
    [90_000, '90s'],
    [2_592_000_000, '30d'],
  ])('writes %i ms as %s', (durationMs, expected) => expect(formatDuration(durationMs)).toBe(expected));

  it('is read back as the same duration', () => {
    fc.assert(fc.property(wholeMs, (durationMs) => expect(parseDuration(formatDuration(durationMs))).toBe(durationMs)));
  });
});
