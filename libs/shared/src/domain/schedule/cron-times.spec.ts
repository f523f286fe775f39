import fc from 'fast-check';
import { cronTimes, nextTimes } from '#shared/domain/schedule/cron-times';
import { timeZone } from '#shared/domain/schedule/time-zone';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const iso = (at: number): string => new Date(at).toISOString().replace(':00.000Z', 'Z');
const runs = (cron: string, zone: string, from: string, count: number): string[] =>
  nextTimes(cronTimes(cron, zone), Date.parse(from), count).map(iso);

/** The same table, in words, is in docs/schedules.md. */
describe('where a zone changes its clock', () => {
  describe('Europe/Berlin: the clock goes from 02:00 to 03:00 on 29 March', () => {
    it.each([
      ['30 2 * * *', 'is due right after the gap', ['2026-03-29T01:00Z', '2026-03-30T00:30Z']],
      ['0 3 * * *', 'is not moved', ['2026-03-29T01:00Z', '2026-03-30T01:00Z']],
      ['15,45 2 * * *', 'is due once for both', ['2026-03-29T01:00Z', '2026-03-30T00:15Z', '2026-03-30T00:45Z']],
      ['0 2,3 * * *', 'is due once for both', ['2026-03-29T01:00Z', '2026-03-30T00:00Z', '2026-03-30T01:00Z']],
      ['30 2 29 3 *', 'is not lost for a year', ['2026-03-29T01:00Z', '2027-03-29T00:30Z']],
      ['30 2 * 3 0L', 'is due though the hour is never there', ['2026-03-29T01:00Z', '2027-03-28T01:00Z']],
      ['30 */2 * * *', 'skips the hour', ['2026-03-28T13:30Z', '2026-03-28T15:30Z']],
      ['*/30 2 * * *', 'is due when the hour is there', ['2026-03-30T00:00Z', '2026-03-30T00:30Z']],
    ])('%s %s', (cron, _does, expected) =>
      expect(runs(cron, 'Europe/Berlin', '2026-03-28T12:00Z', expected.length)).toEqual(expected),
    );

    it('*/30 * * * * goes on evenly', () => {
      expect(runs('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:15Z', 4)).toEqual([
        ...['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z', '2026-03-29T02:00Z'],
      ]);
    });
  });

  describe('Europe/Berlin: the clock goes from 03:00 back to 02:00 on 25 October', () => {
    it.each([
      ['30 2 * * *', 'is due the first time only', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
      ['15,45 2 * * *', 'is due the first time only', ['2026-10-25T00:15Z', '2026-10-25T00:45Z', '2026-10-26T01:15Z']],
      ['0 3 * * *', 'is due when it comes', ['2026-10-25T02:00Z', '2026-10-26T02:00Z']],
      ['30 1-3 * * *', 'is due at each once', ['2026-10-24T23:30Z', '2026-10-25T00:30Z', '2026-10-25T02:30Z']],
    ])('%s %s', (cron, _does, expected) =>
      expect(runs(cron, 'Europe/Berlin', '2026-10-24T12:00Z', expected.length)).toEqual(expected),
    );

    it.each([
      ['0 * * * *', ['00:00', '01:00', '02:00', '03:00']],
      ['*/30 * * * *', ['00:00', '00:30', '01:00', '01:30', '02:00']],
      ['*/30 2 * * *', ['00:00', '00:30', '01:00', '01:30']],
    ])('%s is due in both passes', (cron, times) => {
      expect(runs(cron, 'Europe/Berlin', '2026-10-24T23:45Z', times.length)).toEqual(
        times.map((time) => `2026-10-25T${time}Z`),
      );
    });

    it('30 2 * * * asked for in the second pass is due the next day', () => {
      expect(runs('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10Z', 1)).toEqual(['2026-10-26T01:30Z']);
    });
  });

  it.each([
    ['America/New_York', '30 2 * * *', 'spring', '2026-03-07T12:00Z', ['2026-03-08T07:00Z', '2026-03-09T06:30Z']],
    ['America/New_York', '30 1 * * *', 'autumn', '2026-10-31T12:00Z', ['2026-11-01T05:30Z', '2026-11-02T06:30Z']],
    ['America/New_York', '0 * * * *', 'autumn', '2026-11-01T04:30Z', ['2026-11-01T05:00Z', '2026-11-01T06:00Z']],
    [
      'Australia/Lord_Howe',
      '15 2 * * *',
      '30 min gap',
      '2026-10-03T12:00Z',
      ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
    ],
    [
      'Australia/Lord_Howe',
      '45 1 * * *',
      '30 min twice',
      '2026-04-04T12:00Z',
      ['2026-04-04T14:45Z', '2026-04-05T15:15Z'],
    ],
    [
      'Australia/Lord_Howe',
      '*/20 * * * *',
      '30 min twice',
      '2026-04-04T14:50Z',
      ['2026-04-04T15:10Z', '2026-04-04T15:30Z'],
    ],
    ['America/Sao_Paulo', '0 0 * * *', 'midnight gap', '2018-11-03T12:00Z', ['2018-11-04T03:00Z', '2018-11-05T02:00Z']],
    ['Asia/Beirut', '0,30 0 * * *', 'midnight gap', '2026-03-28T12:00Z', ['2026-03-28T22:00Z', '2026-03-29T21:00Z']],
    ['Africa/Cairo', '15 0 * * FRI', 'midnight gap', '2026-04-23T00:00Z', ['2026-04-23T22:00Z', '2026-04-30T21:15Z']],
    ['America/Havana', '30 0 * * *', 'midnight twice', '2026-10-31T12:00Z', ['2026-11-01T04:30Z', '2026-11-02T05:30Z']],
    [
      'America/Nuuk',
      '30 23 * * *',
      'gap up to midnight',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
    ],
    [
      'Pacific/Apia',
      '0 12 * * *',
      'lost day',
      '2011-12-29T12:00Z',
      ['2011-12-29T22:00Z', '2011-12-30T10:00Z', '2011-12-30T22:00Z'],
    ],
    [
      'Pacific/Apia',
      '0 */12 * * *',
      'lost day',
      '2011-12-29T12:00Z',
      ['2011-12-29T22:00Z', '2011-12-30T10:00Z', '2011-12-30T22:00Z'],
    ],
    [
      'Africa/Casablanca',
      '30 2 * * *',
      'Ramadan begins',
      '2026-02-14T12:00Z',
      ['2026-02-15T01:30Z', '2026-02-16T02:30Z'],
    ],
    ['Asia/Kolkata', '30 2 * * *', 'no change', '2026-03-28T12:00Z', ['2026-03-28T21:00Z', '2026-03-29T21:00Z']],
    ['UTC', '30 2 * * *', 'no change', '2026-03-28T12:00Z', ['2026-03-29T02:30Z', '2026-03-30T02:30Z']],
  ])('%s: %s, %s', (zone, cron, _, from, expected) =>
    expect(runs(cron, zone, from, expected.length)).toEqual(expected),
  );
});

/** Moments near which a zone changes its clock, and one that does not. */
const CHANGES: readonly (readonly [zone: string, around: string])[] = [
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['America/Sao_Paulo', '2018-02-18T02:00Z'],
  ['Asia/Beirut', '2026-03-28T22:00Z'],
  ['America/Nuuk', '2026-03-29T01:00Z'],
  ['America/Nuuk', '2026-10-25T01:00Z'],
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Africa/Casablanca', '2026-02-15T02:00Z'],
  ['Asia/Kolkata', '2026-03-29T00:00Z'],
];

/** What the zone's clock shows, by Node's own calendar: minutes since 1970 as if it stood in UTC. */
function wallMinutes(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric' },
  });
  return (at) => {
    const [month, day, year, hour, minute] = format.format(at).split(/\D+/).map(Number);
    return Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute) / MINUTE_MS;
  };
}

const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 4 });
const hours = fc.oneof(
  { weight: 3, arbitrary: fc.uniqueArray(fc.constantFrom(0, 1, 2, 3, 22, 23), { minLength: 1, maxLength: 4 }) },
  { weight: 1, arbitrary: fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 6 }) },
);
const steps = fc.constantFrom(1, 2, 5, 7, 15, 20, 30);
const all = (count: number, step = 1): number[] =>
  Array.from({ length: Math.ceil(count / step) }, (_, index) => index * step);

interface Generated {
  readonly cron: string;
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly wild: boolean;
}

const crons: fc.Arbitrary<Generated> = fc.oneof(
  fc
    .tuple(minutes, hours)
    .map(([m, h]) => ({ cron: `${m.join(',')} ${h.join(',')} * * *`, minutes: m, hours: h, wild: false })),
  fc.tuple(minutes, fc.constantFrom(1, 2, 3)).map(([m, step]) => ({
    ...{ cron: `${m.join(',')} */${step} * * *`, minutes: m, hours: all(24, step), wild: true },
  })),
  fc.tuple(steps, hours).map(([step, h]) => ({
    ...{ cron: `*/${step} ${h.join(',')} * * *`, minutes: all(60, step), hours: h, wild: true },
  })),
  fc.tuple(steps).map(([step]) => ({
    ...{ cron: `*/${step} * * * *`, minutes: all(60, step), hours: all(24), wild: true },
  })),
);

/** Minute by minute: what is due in (from, to], told without any of the code that is tried. */
function dueByLooking({ minutes: m, hours: h, wild }: Generated, zone: string, from: number, to: number): number[] {
  const wallAt = wallMinutes(zone);
  const fits = (wall: number): boolean => m.includes(wall % 60) && h.includes(Math.floor(wall / 60) % 24);
  const due: number[] = [];
  // Begun long before, so that what the clock has shown is known in a repeated hour.
  let shown = wallAt(from - 4 * HOUR_MS);
  for (let at = from - 4 * HOUR_MS + MINUTE_MS; at <= to; at += MINUTE_MS) {
    const wall = wallAt(at);
    let reached = wild && fits(wall);
    for (let each = shown + 1; !wild && each <= wall; each += 1) reached ||= fits(each);
    shown = Math.max(shown, wall);
    if (reached && at > from) due.push(at);
  }
  return due;
}

describe('any cron around any change', () => {
  it('is due exactly when a look at the clock in each minute says so, forwards and backwards', () => {
    const change = fc.constantFrom(...CHANGES);
    const start = fc.integer({ min: -30 * 60, max: 3 * 60 });
    fc.assert(
      fc.property(change, start, crons, ([zone, around], startMinutes, generated) => {
        const from = Date.parse(around) + startMinutes * MINUTE_MS;
        const to = from + 33 * HOUR_MS;
        const expected = dueByLooking(generated, zone, from, to).map(iso);
        const times = cronTimes(generated.cron, zone);
        const forwards: string[] = [];
        for (let at = times.next(from); at !== null && at <= to; at = times.next(at)) forwards.push(iso(at));
        expect([zone, generated.cron, forwards]).toEqual([zone, generated.cron, expected]);
        const backwards: string[] = [];
        for (let at = times.previous(to + 1); at !== null && at > from; at = times.previous(at))
          backwards.push(iso(at));
        expect([zone, generated.cron, backwards]).toEqual([zone, generated.cron, expected.reverse()]);
      }),
      { numRuns: 60 },
    );
  });

  const anyZone = fc.constantFrom(...CHANGES.map(([zone]) => zone), 'UTC', 'Asia/Kathmandu', 'Pacific/Chatham');
  const anyTime = fc.integer({ min: Date.UTC(2010, 0), max: Date.UTC(2040, 0) });
  const anyDays = fc.constantFrom('* * *', 'L * *', '29 2 *', '* * 1-5', '13 * 5', '* 3,10 0', '*/3 */2 *');
  const anyCron = fc
    .tuple(fc.constantFrom('0', '30', '0,59', '*/20'), crons, anyDays)
    .map(([second, { cron }, days]) => `${second} ${cron.slice(0, -'* * *'.length)}${days}`);

  it('is due at whole seconds, each later than the one before and after the time asked for', () => {
    fc.assert(
      fc.property(anyCron, anyZone, anyTime, (cron, zone, from) => {
        const found = nextTimes(cronTimes(cron, zone), from, 5);
        expect(found).toHaveLength(5);
        [from, ...found].reduce((before, at) => {
          expect(at).toBeGreaterThan(before);
          return at;
        });
        expect(found.filter((at) => at % 1_000 !== 0)).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  it('leads back where it came from', () => {
    fc.assert(
      fc.property(anyCron, anyZone, anyTime, (cron, zone, from) => {
        const times = cronTimes(cron, zone);
        const next = times.next(from) ?? 0;
        const previous = times.previous(next) ?? 0;
        expect(previous).toBeLessThanOrEqual(from);
        expect(times.next(previous)).toBe(next);
        expect(times.previous(next + 1)).toBe(next);
      }),
      { numRuns: 80 },
    );
  });
});

describe('timeZone', () => {
  it.each(['UTC', 'Europe/Berlin', 'europe/berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT-2', 'EST5EDT'])(
    'knows %s',
    (name) => expect(timeZone(name)).not.toBeNull(),
  );
  it.each(['', 'Mars/Olympus', '+02:00', '-05', 'GMT+2', ' UTC', 'Europe/Berlin\n', 'x'.repeat(100), '\0'])(
    'does not know %j',
    (name) => expect(timeZone(name)).toBeNull(),
  );
  it('says by how much a clock is ahead', () => {
    const offsetAt = (name: string, at: string): number | undefined => timeZone(name)?.offsetMs(Date.parse(at));
    expect(offsetAt('UTC', '2026-01-01T00:00Z')).toBe(0);
    expect(offsetAt('Asia/Kolkata', '2026-01-01T00:00Z')).toBe(5.5 * HOUR_MS);
    expect(offsetAt('America/New_York', '2026-07-01T00:00Z')).toBe(-4 * HOUR_MS);
    expect(offsetAt('Australia/Lord_Howe', '2026-01-01T00:00Z')).toBe(11 * HOUR_MS);
  });
  it('finds when a clock is changed, to the second, from both sides', () => {
    const zone = timeZone('Europe/Berlin');
    const [from, change] = [Date.UTC(2026, 0, 1), Date.parse('2026-03-29T01:00Z')];
    expect(zone?.firstChange(from, from + 200 * DAY_MS)).toBe(change);
    expect(zone?.lastChange(from, from + 200 * DAY_MS)).toBe(change);
    expect(zone?.firstChange(from, change - 1)).toBeNull();
    expect(zone?.firstChange(change, change + 30 * DAY_MS)).toBeNull();
    expect(zone?.lastChange(change, change + 30 * DAY_MS)).toBeNull();
  });
});
