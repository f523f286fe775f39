import fc from 'fast-check';
import { httpDateMs, retryAfterMs } from './retry-after';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Whole seconds that every form can say: two digits of a year mean 1970…2069. */
const times = fc.integer({ min: 0, max: Math.floor(Date.UTC(2069, 11, 31) / 1_000) }).map((seconds) => seconds * 1_000);

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const fixdate = (ms: number): string => new Date(ms).toUTCString();

function rfc850(ms: number): string {
  const [, day, month, year, time] = fixdate(ms).split(' ');
  return `${DAYS[new Date(ms).getUTCDay()]}, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
}

function asctime(ms: number): string {
  const [, day, month, year, time] = fixdate(ms).split(' ');
  return `${DAYS[new Date(ms).getUTCDay()]?.slice(0, 3)} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}

describe('an HTTP date', () => {
  it.each([['Sun, 06 Nov 1994 08:49:37 GMT'], ['Sunday, 06-Nov-94 08:49:37 GMT'], ['Sun Nov  6 08:49:37 1994']])(
    'is read in the form %s',
    (text) => {
      expect(httpDateMs(text)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    },
  );

  it('means the same in all three forms, whatever the zone of this machine', () => {
    fc.assert(
      fc.property(times, (ms) => {
        expect([fixdate(ms), rfc850(ms), asctime(ms)].map(httpDateMs)).toEqual([ms, ms, ms]);
      }),
    );
  });

  it.each(['', 'soon', '2026-01-02T03:04:05Z', 'Fri, 02 Foo 2026 03:04:05 GMT', 'Fri, 02 Jan 2026 25:04:05 GMT'])(
    'is not %j',
    (text) => {
      expect(httpDateMs(text)).toBeUndefined();
    },
  );
});

describe('Retry-After', () => {
  it('in seconds is that many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000 }), (seconds) => {
        expect(retryAfterMs(` ${seconds} `, undefined, NOW)).toBe(seconds * 1_000);
      }),
    );
    expect(retryAfterMs('1.5', undefined, NOW)).toBe(1_500);
  });

  it('as a date is so long after the date of the answer; what is past means now', () => {
    const forms = fc.constantFrom(fixdate, rfc850, asctime);
    fc.assert(
      fc.property(times, times, forms, forms, fc.integer(), (until, date, inForm, dateForm, now) => {
        expect(retryAfterMs(inForm(until), dateForm(date), now)).toBe(Math.max(0, until - date));
      }),
    );
  });

  it('as a date in an answer without one is measured by this clock', () => {
    expect(retryAfterMs(fixdate(NOW + 5_000), undefined, NOW)).toBe(5_000);
    expect(retryAfterMs(fixdate(NOW + 5_000), 'yesterday', NOW)).toBe(5_000);
  });

  it('says nothing when it cannot be understood', () => {
    for (const text of [undefined, '', '-3', '3s', 'Infinity', '1e3', 'NaN']) {
      expect(retryAfterMs(text, undefined, NOW)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const ms = retryAfterMs(text, text, NOW);
        expect(ms === undefined || (Number.isFinite(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});
