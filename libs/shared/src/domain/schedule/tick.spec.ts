import { cronTimes } from '#shared/domain/schedule/cron-times';
import { type DueSchedule, tick } from '#shared/domain/schedule/tick';

const MINUTE_MS = 60_000;
const NOON = Date.parse('2026-05-01T12:00:00Z');
const times = cronTimes('* * * * *', 'UTC');

const after = (minutes: number, more: Partial<DueSchedule> = {}): DueSchedule => ({
  ...{ nextMs: NOON - minutes * MINUTE_MS, nowMs: NOON + 1, overlap: 'skip', catchUp: 'last', live: 0, taken: [] },
  ...more,
});
const kinds = (schedule: DueSchedule): string[] => tick(schedule, times).runs.map(({ kind }) => kind);

test('one that is due on time starts, and is due next after now', () => {
  expect(tick(after(0), times)).toEqual({
    ...{ runs: [{ dueMs: NOON, kind: 'start' }], missed: 0, andMore: false, nextMs: NOON + MINUTE_MS },
  });
});

test('a run that is made counts for those after it', () => {
  expect(kinds(after(2, { catchUp: 'all' }))).toEqual(['start', 'skip', 'skip']);
  expect(kinds(after(2, { catchUp: 'all', overlap: 'queue' }))).toEqual(['start', 'wait', 'wait']);
  expect(kinds(after(2, { catchUp: 'all', overlap: 'allow' }))).toEqual(['start', 'start', 'start']);
});

test('so many wait, and no more', () => {
  const runs = kinds(after(3, { catchUp: 'all', overlap: 'queue', live: 98 }));
  expect(runs).toEqual(['wait', 'wait', 'skip', 'skip']);
});

test('a time that has its run gets no other, though the clock was set back', () => {
  expect(tick(after(1, { taken: [NOON] }), times)).toMatchObject({ runs: [{ dueMs: NOON - MINUTE_MS }], missed: 0 });
  expect(tick(after(0, { taken: [NOON] }), times)).toMatchObject({ runs: [], nextMs: NOON + MINUTE_MS });
});

test('what is left out is counted', () => {
  expect(tick(after(5), times)).toMatchObject({ missed: 5, runs: [{ dueMs: NOON, kind: 'start' }] });
  expect(tick(after(5, { catchUp: 'none', nowMs: NOON + 59_999 }), times).runs).toHaveLength(1);
});

test('one that is never due again has no next time', () => {
  const never = { next: () => null, previous: (before: number) => (before > NOON ? NOON : null) };
  expect(tick(after(0), never)).toMatchObject({ runs: [{ dueMs: NOON }], nextMs: null });
});
