import { register } from 'prom-client';
import type { Logger } from '#shared/runtime/logger';
import { NOW, SECOND } from '../../../test/support/drafts';
import { Lateness } from './lateness';

interface Line {
  readonly jobs: number;
  readonly latest_by_s: number;
  readonly cause: string;
}

function lateness(): { lateness: Lateness; lines: Line[] } {
  const lines: Line[] = [];
  return { lateness: new Lateness({ info: (line: Line) => lines.push(line) } as unknown as Logger), lines };
}

const bucket = async (le: number | string): Promise<number> => {
  const text = await register.getSingleMetricAsString('sluice_schedule_lateness_seconds');
  const line = text.split('\n').find((each) => each.includes(`_bucket{le="${le}"} `));
  return Number(line?.split(' ').at(-1));
};

/** Released now, so much after it was due. */
const late = (seconds: number, by = NOW): { dueAt: number; releasedAt: number; askedAtMs: number } => ({
  ...{ dueAt: by - seconds * SECOND, releasedAt: by, askedAtMs: performance.now() },
});

beforeAll(() => void lateness());
beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('Lateness', () => {
  it('counts from due to published: the database’s time up to the release, then what has passed since it was asked for', async () => {
    const before = [await bucket(0.01), await bucket(0.025), await bucket('+Inf')];
    const { lateness: one } = lateness();
    const handedOut = late(0.004);
    jest.advanceTimersByTime(8);
    one.observe(handedOut);
    const after = [await bucket(0.01), await bucket(0.025), await bucket('+Inf')];
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([0, 1, 1]);
  });

  it('is one metric, however many schedulers the process holds', async () => {
    const before = await bucket(0.001);
    lateness().lateness.observe(late(0));
    lateness().lateness.observe(late(0));
    expect((await bucket(0.001)) - before).toBe(2);
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
