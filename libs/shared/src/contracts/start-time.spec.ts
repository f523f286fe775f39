import fc from 'fast-check';
import { countdownFault, parseEta, parseIsoTime } from '#shared/contracts/start-time';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString();
const read = (value: string | number): string => {
  const parsed = parseEta(value, NOW_MS);
  return parsed.ok ? iso(parsed.seconds) : parsed.message;
};

describe('an eta', () => {
  it.each([
    ['2027-01-31T08:00:00Z', '2027-01-31T08:00:00.000Z'],
    ['2027-01-31t08:00:00z', '2027-01-31T08:00:00.000Z'],
    ['2027-01-31T08:00Z', '2027-01-31T08:00:00.000Z'],
    ['2027-01-31 08:00:00.25+02:00', '2027-01-31T06:00:00.250Z'],
    ['2027-01-31T08:00:00,5-0330', '2027-01-31T11:30:00.500Z'],
    ['2027-01-31T08:00:00+05', '2027-01-31T03:00:00.000Z'],
    ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0099-05-01T00:00:00Z', '0099-05-01T00:00:00.000Z'],
    ['2036-11-23T12:00:00Z', '2036-11-23T12:00:00.000Z'],
    [1_800_000_000, '2027-01-15T08:00:00.000Z'],
    [1_800_000_000.25, '2027-01-15T08:00:00.250Z'],
    [0, '1970-01-01T00:00:00.000Z'],
    [-1, '1969-12-31T23:59:59.000Z'],
  ])('%j is %s', (value, expected) => {
    expect(read(value)).toBe(expected);
  });

  it.each([
    ['2027-01-31T08:00:00', 'has no offset'],
    ['2027-01-31', 'has no offset'],
    ['2027-01-31Z', 'has no offset'],
    ['2027-02-29T08:00:00Z', 'no such day'],
    ['1900-02-29T08:00:00Z', 'no such day'],
    ['2027-13-01T08:00:00Z', 'no such day'],
    ['2027-00-10T08:00:00Z', 'no such day'],
    ['2027-04-31T08:00:00Z', 'no such day'],
    ['2027-01-31T24:00:00Z', 'no such time'],
    ['2027-01-31T08:60:00Z', 'no such time'],
    ['2026-12-31T23:59:60Z', 'no such time'],
    ['2027-01-31T08:00:00+24:00', 'no such time'],
    ['10000-01-01T00:00:00Z', 'expected ISO 8601'],
    ['+010000-01-01T00:00:00Z', 'expected ISO 8601'],
    ['9999-12-31T23:59:59Z', 'more than ten years ahead'],
    ['2036-11-23T12:00:01Z', 'more than ten years ahead'],
    ['0000-12-31T00:00:00Z', 'before the year 1'],
    ['0001-01-01T00:00:00+01:00', 'before the year 1'],
    ['tomorrow', 'expected ISO 8601'],
    ['', 'expected ISO 8601'],
    [' 2027-01-31T08:00:00Z', 'expected ISO 8601'],
    ['Sun, 31 Jan 2027 08:00:00 GMT', 'expected ISO 8601'],
    ['1800000000', 'number in a string'],
    ['1.8e9', 'number in a string'],
    ['-5', 'number in a string'],
    [1_800_000_000_000, 'milliseconds'],
    [1_800_000_000_000_000, 'milliseconds'],
    [1e11, 'milliseconds'],
    [99_999_999_999, 'more than ten years ahead'],
    [-62_135_596_801, 'before the year 1'],
    [Number.POSITIVE_INFINITY, 'not a number'],
    [Number.NaN, 'not a number'],
  ])('%j is refused: %s', (value, expected) => {
    expect(parseEta(value, NOW_MS).ok).toBe(false);
    expect(read(value)).toContain(expected);
  });

  it('counts ten years by the calendar, over leap days too', () => {
    const leapDayMs = Date.parse('2028-02-29T00:00:00Z');
    expect(parseEta('2038-03-01T00:00:00Z', leapDayMs).ok).toBe(true);
    expect(parseEta('2038-03-01T00:00:01Z', leapDayMs).ok).toBe(false);
  });

  it('reads whatever JavaScript writes, in any offset', () => {
    const time = fc.date({ min: new Date('0002-01-01T00:00:00Z'), max: new Date('2036-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(time, fc.integer({ min: -14 * 60, max: 14 * 60 }), (date, offset) => {
        const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
        const zone = `${offset < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
        const parsed = parseIsoTime(local + zone);
        expect(parsed.ok && Math.round(parsed.seconds * 1_000)).toBe(date.getTime());
      }),
    );
  });
});

describe('a countdown', () => {
  it.each([0, 0.25, 60, 315_619_200])('of %d s is fine', (seconds) => {
    expect(countdownFault(seconds, NOW_MS)).toBeNull();
  });

  it.each([
    [-0.001, '0 or more'],
    [Number.POSITIVE_INFINITY, '0 or more'],
    [315_619_201, 'more than ten years ahead'],
    [1e300, 'more than ten years ahead'],
  ])('of %d s is refused: %s', (seconds, expected) => {
    expect(countdownFault(seconds, NOW_MS)).toContain(expected);
  });
});
