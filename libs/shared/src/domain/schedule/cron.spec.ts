import { parseCron } from '#shared/domain/schedule/cron';
import { cronTimes, nextTimes } from '#shared/domain/schedule/cron-times';
import { cronWords } from '#shared/domain/schedule/cron-words';

function messageOf(text: string): string {
  const parsed = parseCron(text);
  return parsed.ok ? 'accepted' : parsed.message;
}

describe('parseCron', () => {
  it.each([
    '* * * * *',
    '*/15 * * * *',
    '*/10 * * * * *',
    '0 8 * * 1-5',
    '0 8 * * MON-FRI',
    '5 4 ? jan,Jul sun',
    '0 0 L * *',
    '0 0 15W * *',
    '0 0 * * 1#2',
    '0 0 * * 5L',
    '0 0 * * 7',
    '0 0-20/2 1,15 * *',
    '  0\t0 * * *  ',
  ])('takes %j', (text) => expect(messageOf(text)).toBe('accepted'));

  it.each([
    ['60 * * * *', 'minute', '0 to 59', '"60"'],
    ['60 * * * * *', 'second', '0 to 59', '"60"'],
    ['* 24 * * *', 'hour', '0 to 23', '"24"'],
    ['* * 0 * *', 'day of the month', '1 to 31', '"0"'],
    ['* * 32 * *', 'day of the month', '1 to 31', '"32"'],
    ['* * * 13 *', 'month', '1 to 12 or JAN to DEC', '"13"'],
    ['* * * * 8', 'day of the week', '0 to 7 or SUN to SAT', '"8"'],
    ['* * * * FRI-MON', 'day of the week', 'SUN to SAT', '"FRI-MON"'],
    ['* * * * +FRI', 'day of the week', 'SUN to SAT', '"+FRI"'],
    ['* * * * 1#', 'day of the week', 'SUN to SAT', '"1#"'],
    ['5/5 * * * *', 'minute', 'a step (*/5, 1-9/2)', '"5/5"'],
    ['*/0 * * * *', 'minute', 'a step', '"*/0"'],
    ['10-5 * * * *', 'minute', 'a range (1-5)', '"10-5"'],
    ['-5 * * * *', 'minute', 'a range', '"-5"'],
    ['1,,2 * * * *', 'minute', 'a list (1,5)', '"1,,2"'],
    ['1.5 * * * *', 'minute', '0 to 59', '"1.5"'],
    ['1:2 * * * *', 'minute', '0 to 59', '"1:2"'],
    ['a b c d e', 'minute', '0 to 59', '"a"'],
    [`${'1,'.repeat(60)}é * * * *`, 'minute', '0 to 59', `"${'1,'.repeat(20)}…"`],
  ])('refuses %j: says the field, what it expects and what it found', (text, field, expected, found) => {
    const message = messageOf(text);
    expect(message).toContain(`the ${field}: expected `);
    expect(message).toContain(expected);
    expect(message).toContain(`found ${found}`);
  });

  it.each([
    ['', 'found nothing'],
    [' \n ', 'found nothing'],
    ['* * * *', 'found 4 in "* * * *"'],
    ['0 0 0 1 1 * 2030', 'found 7 in "0 0 0 1 1 * 2030"'],
    ['2030-01-01T00:00:00', 'found 1 in "2030-01-01T00:00:00"'],
    ['@daily', 'found the nickname "@daily": write "0 0 * * *"'],
    ['@reboot', 'found the nickname "@reboot"'],
    ['x'.repeat(201), 'is longer than 200 characters'],
  ])('refuses %j: it has not five or six fields', (text, found) => {
    expect(messageOf(text)).toContain(found);
    if (!found.startsWith('is')) expect(messageOf(text)).toMatch(/^expected five fields \(.*\) or six \(/);
  });

  it('understands the same text again, however many others came between', () => {
    const first = nextTimes(cronTimes('7 3 * * *', 'UTC'), 0, 2);
    for (let minute = 0; minute < 60; minute += 1) {
      for (const hour of [1, 2]) expect(messageOf(`${minute} ${hour} * * *`)).toBe('accepted');
    }
    expect(nextTimes(cronTimes('7 3 * * *', 'UTC'), 0, 2)).toEqual(first);
  });
});

describe('the days of a cron', () => {
  const from = Date.UTC(2026, 0, 1);
  const days = (cron: string, count: number): string[] =>
    nextTimes(cronTimes(cron, 'UTC'), from, count).map((at) => new Date(at).toISOString().slice(0, 10));

  it.each([
    ['0 0 29 2 *', ['2028-02-29', '2032-02-29']],
    ['0 0 31 * *', ['2026-01-31', '2026-03-31', '2026-05-31']],
    ['0 0 L * *', ['2026-01-31', '2026-02-28', '2026-03-31']],
    ['0 0 15W 8 *', ['2026-08-14', '2027-08-16']],
    ['0 0 * * 1#2', ['2026-01-12', '2026-02-09']],
    ['0 0 * * 5L', ['2026-01-30', '2026-02-27']],
    ['0 0 13 * FRI', ['2026-01-02', '2026-01-09', '2026-01-13', '2026-01-16']],
    ['0 0 * 2 5#5', ['2036-02-29', '2064-02-29']],
  ])('%s', (cron, expected) => expect(days(cron, expected.length)).toEqual(expected));

  it('none at all is null: 30 February, and an hour that a gap swallows each year', () => {
    expect(cronTimes('0 0 30 2 *', 'UTC').next(from)).toBeNull();
    expect(cronTimes('0 0 31 2,4,6,9,11 *', 'Europe/Berlin').next(from)).toBeNull();
    expect(cronTimes('*/30 2 * 3 0L', 'Europe/Berlin').next(from)).toBeNull();
    expect(cronTimes('0 0 30 2 *', 'UTC').previous(from)).toBeNull();
    expect(cronTimes('*/30 2 * 3 0L', 'Europe/Berlin').previous(from)).toBeNull();
  });
});

describe('cronWords', () => {
  it.each([
    ['*/15 * * * *', 'Every 15 minutes'],
    ['0 8 * * 1-5', 'At 08:00, Monday through Friday'],
    ['0 0 8 * * *', 'At 08:00'],
    ['30 0 8 * * *', 'At 08:00:30'],
    ['*/10 * * * * *', 'Every 10 seconds'],
    ['5 4 ? * sun', 'At 04:05, only on Sunday'],
    ['0 0 13 * FRI', 'At 00:00, on day 13 of the month, or on Friday'],
    ['0 0 L * *', 'At 00:00, on the last day of the month'],
    ['0 12 * * 1#2', 'At 12:00, on the second Monday of the month'],
    ['30 2 29 2 *', 'At 02:30, on day 29 of the month, only in February'],
  ])('%s is %j', (cron, words) => expect(cronWords(cron)).toBe(words));

  it('what it has no words for stays as it is', () => expect(cronWords(' 0 0 1W,L * * ')).toBe('0 0 1W,L * *'));
});
