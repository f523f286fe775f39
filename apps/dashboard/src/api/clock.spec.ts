import { noteServerTime, serverNow, serverTimeOf } from './clock';

const HOUR_MS = 3_600_000;

beforeEach(() => jest.useFakeTimers({ now: Date.parse('2030-01-31T12:00:00.400Z') }));
afterEach(() => jest.useRealTimers());

it("takes the gateway's time where the reader's clock is far off", () => {
  noteServerTime('Thu, 31 Jan 2030 11:00:00 GMT');
  expect(serverNow()).toBe(Date.now() - HOUR_MS - 400);
  jest.advanceTimersByTime(1_000);
  expect(serverTimeOf(Date.now())).toBe(serverNow());
});

it.each(['Thu, 31 Jan 2030 12:00:00 GMT', 'Thu, 31 Jan 2030 11:59:57 GMT'])(
  'takes the clocks for the same when they differ by what an answer takes (%s)',
  (date) => {
    noteServerTime('Thu, 31 Jan 2030 11:00:00 GMT');
    noteServerTime(date);
    expect(serverNow()).toBe(Date.now());
  },
);

it.each([null, 'soon'])('goes on as before when an answer does not say it (%s)', (date) => {
  noteServerTime('Thu, 31 Jan 2030 13:00:00 GMT');
  noteServerTime(date);
  expect(serverNow() - Date.now()).toBe(HOUR_MS - 400);
});
