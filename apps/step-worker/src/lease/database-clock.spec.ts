import { DatabaseClock } from './database-clock';

const SECOND = 1_000_000;

/** A clock that takes the database's time for `errorMs` earlier than it is: the answer took twice as long to come. */
function clockBehind(errorMs: number): { clock: DatabaseClock; truth: () => number } {
  const clock = new DatabaseClock();
  const askedAtMs = performance.now();
  const truth = (): number => 1_700_000_000 * SECOND + Math.round((performance.now() - askedAtMs) * 1_000);
  clock.set(1_700_000_000 * SECOND, askedAtMs, askedAtMs + 2 * errorMs);
  return { clock, truth };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('DatabaseClock', () => {
  it('goes on by itself, from halfway between question and answer', () => {
    const { clock, truth } = clockBehind(20);
    expect(clock.now()).toBe(truth() - 20_000);
    jest.advanceTimersByTime(1_500);
    expect(clock.now()).toBe(truth() - 20_000);
    expect(clock.iso()).toBe('2023-11-14T22:13:21.480Z');
  });

  it('shows nothing to begin before the database’s time at which it was handed out', () => {
    const { clock, truth } = clockBehind(20);
    const handedOut = truth();
    expect(clock.nowAfter(handedOut)).toBe(handedOut);
    jest.advanceTimersByTime(100);
    expect(clock.nowAfter(handedOut)).toBe(truth() - 20_000);
  });

  it('does not believe a time that cannot be past, whoever says so', () => {
    const { clock } = clockBehind(0);
    expect(clock.nowAfter(clock.now() + 3_600 * SECOND)).toBe(clock.now());
  });
});
