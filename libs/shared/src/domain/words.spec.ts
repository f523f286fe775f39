import { counted, countdown, duration, longDuration, percent, until } from '#shared/domain/words';

test.each([
  [null, '-'],
  [0, '0ms'],
  [999.4, '999ms'],
  [999.6, '1.0s'],
  [59_949, '59.9s'],
  [59_951, '1m 00s'],
  [125_000, '2m 05s'],
  [3_599_999, '1h 00m'],
  [3_720_000, '1h 02m'],
  [360_000_000, '4d 04h'],
])('a duration of %p ms is %s', (ms, expected) => {
  expect(duration(ms)).toBe(expected);
});

test('a time to come is told by how far off it is', () => {
  const now = Date.parse('2030-01-31T12:00:00Z');
  expect(until('2030-01-31T12:00:04.200Z', now)).toBe('in 4.2s');
  expect(until('2030-01-31T11:00:00Z', now)).toBe('now');
  expect(until(null, now)).toBe('-');
});

test('a countdown is in whole seconds, and its last second is 1', () => {
  const now = Date.parse('2030-01-31T12:00:00Z');
  expect(countdown('2030-01-31T12:00:04.200Z', now)).toBe('in 5s');
  expect(countdown('2030-01-31T12:00:00.001Z', now)).toBe('in 1s');
  expect(countdown('2030-01-31T12:00:00Z', now)).toBe('now');
  expect(countdown('2030-01-31T12:02:04.200Z', now)).toBe('in 2m 05s');
  expect(countdown(null, now)).toBe('');
});

test.each([
  [0, '0 s'],
  [1, '1 s'],
  [5_000, '5 s'],
  [59_001, '1 min 00 s'],
  [199_200, '3 min 20 s'],
  [3_600_000, '1 h 00 min'],
  [360_000_000, '4 d 04 h'],
])('in a sentence %p ms are %s', (ms, expected) => {
  expect(longDuration(ms)).toBe(expected);
});

test('99.9 % is not yet 100 %', () => {
  expect(percent(99.9)).toBe('99 %');
});

test('one or many', () => {
  expect([counted(1, 'job'), counted(0, 'job'), counted(2, 'job')]).toEqual(['1 job', '0 jobs', '2 jobs']);
});
