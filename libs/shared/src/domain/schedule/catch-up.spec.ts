import fc from 'fast-check';
import { CATCH_UPS, catchUpOn, dueTimes } from '#shared/domain/schedule/catch-up';
import { cronTimes } from '#shared/domain/schedule/cron-times';
import { dueRun, OVERLAPS } from '#shared/domain/schedule/overlap';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const NOW = Date.parse('2026-03-29T12:00:00.500Z');
const eachMinute = cronTimes('* * * * *', 'UTC');
const minutesAgo = (minutes: number): number => Date.parse('2026-03-29T12:00:00Z') - minutes * MINUTE_MS;

describe('dueTimes', () => {
  it('from the first due time to now, both included, the oldest first', () => {
    expect(dueTimes(eachMinute, minutesAgo(3), minutesAgo(0), 'last')).toEqual([3, 2, 1, 0].map(minutesAgo));
    expect(dueTimes(eachMinute, minutesAgo(0), minutesAgo(0), 'last')).toEqual([minutesAgo(0)]);
    expect(dueTimes(eachMinute, minutesAgo(0) + 1, minutesAgo(0), 'last')).toEqual([]);
  });

  it('looks at the newest alone after a long outage', () => {
    const aYearAgo = NOW - 365 * 86_400_000;
    expect(dueTimes(cronTimes('* * * * * *', 'Europe/Berlin'), aYearAgo, NOW, 'all')).toHaveLength(200);
    expect(dueTimes(eachMinute, aYearAgo, NOW, 'all').at(-1)).toBe(minutesAgo(0));
    expect(dueTimes(eachMinute, aYearAgo, NOW, 'last')).toHaveLength(20);
  });
});

describe('catchUpOn', () => {
  const due = [2, 1, 0].map(minutesAgo);

  it('nothing due: nothing to do', () => {
    for (const kind of CATCH_UPS) expect(catchUpOn([], NOW, kind)).toEqual({ run: [], missed: 0, andMore: false });
  });
  it('on time: it runs, whatever the kind', () => {
    for (const kind of CATCH_UPS) {
      expect(catchUpOn([minutesAgo(0)], NOW, kind)).toEqual({ run: [minutesAgo(0)], missed: 0, andMore: false });
    }
  });
  it('none: the newest, when it is at most a minute late', () => {
    expect(catchUpOn(due, NOW, 'none')).toEqual({ run: [minutesAgo(0)], missed: 2, andMore: false });
    const [at] = [minutesAgo(0)];
    expect(catchUpOn([at], at + 60 * SECOND_MS, 'none').run).toEqual([at]);
    expect(catchUpOn([at], at + 60 * SECOND_MS + 1, 'none')).toEqual({ run: [], missed: 1, andMore: false });
  });
  it('last: the newest, however late', () => {
    expect(catchUpOn(due, NOW, 'last')).toEqual({ run: [minutesAgo(0)], missed: 2, andMore: false });
    expect(catchUpOn(due, NOW + 1e10, 'last').run).toEqual([minutesAgo(0)]);
  });
  it('all: every one, the oldest first; of more than a hundred the newest hundred', () => {
    expect(catchUpOn(due, NOW + 1e10, 'all')).toEqual({ run: due, missed: 0, andMore: false });
    const many = dueTimes(eachMinute, minutesAgo(149), NOW, 'all');
    const { run, missed, andMore } = catchUpOn(many, NOW, 'all');
    expect([run.length, run[0], run.at(-1), missed, andMore]).toEqual([100, minutesAgo(99), minutesAgo(0), 50, false]);
  });
  it('says when there may have been more than it counted', () => {
    expect(catchUpOn(dueTimes(eachMinute, 0, NOW, 'all'), NOW, 'all')).toMatchObject({ missed: 100, andMore: true });
    expect(catchUpOn(dueTimes(eachMinute, 0, NOW, 'last'), NOW, 'last')).toMatchObject({ missed: 19, andMore: true });
  });

  it('runs due times only, in order, each once, and what it does not run it counts', () => {
    const outages = fc.integer({ min: 0, max: 500 });
    fc.assert(
      fc.property(outages, fc.constantFrom(...CATCH_UPS), fc.integer({ min: 0, max: 59_999 }), (minutes, kind, ms) => {
        const now = minutesAgo(0) + ms;
        const all = dueTimes(eachMinute, minutesAgo(minutes), now, kind);
        const { run, missed } = catchUpOn(all, now, kind);
        expect(run.length + missed).toBe(all.length);
        expect(all.slice(all.length - run.length)).toEqual(run);
        expect(run.length).toBeLessThanOrEqual(kind === 'all' ? 100 : 1);
        expect(run.at(-1)).toBe(minutesAgo(0));
      }),
      { numRuns: 50 },
    );
  });
});

describe('dueRun', () => {
  it.each([
    ['skip', 0, 'start'],
    ['skip', 1, 'skip'],
    ['queue', 0, 'start'],
    ['queue', 1, 'wait'],
    ['queue', 99, 'wait'],
    ['queue', 100, 'skip'],
    ['allow', 0, 'start'],
    ['allow', 1_000, 'start'],
  ] as const)('%s with %i that have not ended: %s', (overlap, live, kind) => {
    expect(dueRun(overlap, live).kind).toBe(kind);
  });
  it('starts with none alive, whatever the kind', () => {
    for (const overlap of OVERLAPS) expect(dueRun(overlap, 0).kind).toBe('start');
  });
});
