import fc from 'fast-check';
import type { JobView } from '#shared/contracts/job';
import type { ScheduleView } from '#shared/contracts/schedule';
import { dayOf, upcoming } from './upcoming';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2030-01-31T18:00:00.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();

const jobAt = (id: string, ms: number, pipeline = 'p'): JobView => ({ id, pipeline, eta: iso(ms) }) as JobView;
const scheduleAt = (id: string, times: readonly number[], enabled = true): ScheduleView =>
  ({ id, enabled, next_runs: times.map(iso) }) as ScheduleView;
const hours = (...values: number[]): number[] => values.map((each) => NOW + each * HOUR_MS);

const told = (jobs: readonly JobView[], schedules: readonly ScheduleView[]): string[] =>
  upcoming(jobs, schedules, NOW).map((each) => {
    const hour = (each.atMs - NOW) / HOUR_MS;
    if (each.kind === 'jobs') return `${hour} ${each.jobs.map(({ id }) => id).join('+')}`;
    return `${hour} ${each.schedule.id} ×${each.times.length}${each.goesOn ? '…' : ''}`;
  });

describe('what will run within a day', () => {
  it('puts jobs and runs of schedules into one order', () => {
    const jobs = [jobAt('late', NOW + 9 * HOUR_MS), jobAt('soon', NOW + HOUR_MS)];
    expect(told(jobs, [scheduleAt('nightly', hours(8, 32, 56, 80, 104))])).toEqual([
      ...['1 soon', '8 nightly ×1', '9 late'],
    ]);
  });

  it('leaves out what comes later, disabled schedules, and runs that have become jobs', () => {
    const schedules = [
      scheduleAt('off', hours(1), false),
      scheduleAt('yearly', hours(999)),
      scheduleAt('ran', hours(0)),
    ];
    expect(told([jobAt('next week', NOW + 99 * HOUR_MS)], schedules)).toEqual([]);
  });

  it('keeps a job that is overdue', () => {
    expect(told([jobAt('overdue', NOW - HOUR_MS)], [])).toEqual(['-1 overdue']);
  });

  it('tells a frequent schedule once, and one that ends each time', () => {
    expect(told([], [scheduleAt('hourly', hours(1, 2, 3, 4, 5))])).toEqual(['1 hourly ×5…']);
    expect(told([], [scheduleAt('twice', hours(1, 2))])).toEqual(['1 twice ×1', '2 twice ×1']);
    expect(told([], [scheduleAt('six-hourly', hours(1, 7, 13, 19, 25))])).toHaveLength(4);
  });

  it('tells many jobs of one pipeline in one minute together', () => {
    const alike = Array.from({ length: 5 }, (_, nth) => jobAt(`j${nth}`, NOW + HOUR_MS + nth));
    const [entry, other] = upcoming([...alike, jobAt('other', NOW + HOUR_MS, 'q')], [], NOW).sort((a, b) =>
      a.key < b.key ? -1 : 1,
    );
    expect(entry).toMatchObject({ kind: 'jobs', jobs: alike });
    expect(other).toMatchObject({ jobs: [{ id: 'other' }] });
  });

  it('is in order, loses no job of the day, and has no key twice', () => {
    const offsets = fc.array(fc.integer({ min: -HOUR_MS, max: 30 * HOUR_MS }), { maxLength: 40 });
    fc.assert(
      fc.property(offsets, fc.array(offsets, { maxLength: 4 }), (jobOffsets, runOffsets) => {
        const jobs = jobOffsets.map((ms, nth) => jobAt(`j${nth}`, NOW + ms, `p${nth % 2}`));
        const schedules = runOffsets.map((runs, nth) => {
          const times = [...new Set(runs)].sort((a, b) => a - b).slice(0, 5);
          return scheduleAt(
            `s${nth}`,
            times.map((ms) => NOW + ms),
          );
        });
        const entries = upcoming(jobs, schedules, NOW);
        const times = entries.map(({ atMs }) => atMs);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
        const shown = entries.flatMap((each) => (each.kind === 'jobs' ? each.jobs : []));
        expect(shown).toHaveLength(jobOffsets.filter((ms) => ms <= 24 * HOUR_MS).length);
      }),
    );
  });
});

describe('the day of a run', () => {
  const evening = new Date(2030, 0, 31, 22, 0).getTime();
  it.each([
    [evening - 1, 'Due now'],
    [evening + HOUR_MS, 'Today'],
    [evening + 3 * HOUR_MS, 'Tomorrow'],
  ])('is told in a word', (at, word) => {
    expect(dayOf(at, evening)).toBe(word);
  });
});
