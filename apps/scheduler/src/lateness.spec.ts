import type { Logger } from '#shared/runtime/logger';
import { NOW, SECOND } from '../../../test/support/drafts';
import { Lateness } from './lateness';

interface Line {
  readonly jobs: number;
  readonly latest_by_s: number;
  readonly cause: string;
}

function lateness(): { lateness: Lateness; lines: Line[]; told: number[] } {
  const lines: Line[] = [];
  const told: number[] = [];
  const log = { info: (line: Line) => lines.push(line) } as unknown as Logger;
  return { lateness: new Lateness((seconds) => told.push(seconds), log), lines, told };
}

/** Released now, so much after it was due. */
const late = (seconds: number, by = NOW): { dueAt: number; releasedAt: number; askedAtMs: number } => ({
  ...{ dueAt: by - seconds * SECOND, releasedAt: by, askedAtMs: performance.now() },
});

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('Lateness', () => {
  it('counts from due to published: the database’s time up to the release, then what has passed since it was asked for', () => {
    const { lateness: one, told } = lateness();
    const handedOut = late(0.004);
    jest.advanceTimersByTime(8);
    one.observe(handedOut);
    one.observe(late(-5));
    expect(told).toEqual([expect.closeTo(0.012, 6), expect.closeTo(0, 6)]);
  });

  it('says in the log how many were late, how late and why, at most every ten seconds', () => {
    const { lateness: one, lines } = lateness();
    one.observe(late(3_600));
    one.able(NOW);
    one.observe(late(0.9));
    one.observe(late(7_200));
    one.observe(late(60, NOW + 100 * SECOND));
    one.report();
    expect(lines).toMatchObject([
      { jobs: 2, latest_by_s: 7_200, cause: expect.stringContaining('nobody could hand them out') as unknown },
      { jobs: 1, latest_by_s: 60, cause: expect.stringContaining('more was due') as unknown },
    ]);
    one.observe(late(2, NOW + 100 * SECOND));
    jest.advanceTimersByTime(9_999);
    one.report();
    expect(lines).toHaveLength(2);
    jest.advanceTimersByTime(1);
    one.report();
    expect(lines[2]).toMatchObject({ jobs: 1, latest_by_s: 2 });
    jest.advanceTimersByTime(60_000);
    one.report();
    expect(lines).toHaveLength(3);
  });

  it('takes for the cause of what became due during an outage that there was one', () => {
    const { lateness: one, lines } = lateness();
    one.able(NOW);
    one.unable();
    one.able(NOW + 60 * SECOND);
    one.observe(late(30, NOW + 60 * SECOND));
    one.report();
    expect(lines).toMatchObject([{ jobs: 1, cause: expect.stringContaining('out of reach') as unknown }]);
  });
});
