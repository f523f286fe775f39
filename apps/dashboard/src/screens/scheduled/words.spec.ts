import fc from 'fast-check';
import type { ScheduleView } from '#shared/contracts/schedule';
import { fieldTime, isErrorNews, scheduleName, timeOfField } from './words';

const schedule = (more: Partial<ScheduleView>): ScheduleView => ({ last_jobs: [], last_error: null, ...more }) as never;

describe('the name of a schedule', () => {
  it('is its description, else its pipeline and source', () => {
    expect(scheduleName(schedule({ description: 'nightly', job: { pipeline: 'p' } }))).toBe('nightly');
    expect(scheduleName(schedule({ description: null, job: { pipeline: 'p', source: '/a' } }))).toBe('p · /a');
    expect(scheduleName(schedule({ description: '', job: { pipeline: 'p', source: null } }))).toBe('p');
  });
});

describe('the last error of a schedule', () => {
  const last_error = { message: 'gone', due_at: '2030-01-01T00:00:00.000Z', at: '2030-01-01T00:00:01.000Z' };
  const ran = (created_at: string): ScheduleView['last_jobs'] => [
    { id: 'j', status: 'completed', due_at: null, created_at },
  ];

  it('is news until there is a later job', () => {
    expect(isErrorNews(schedule({}))).toBe(false);
    expect(isErrorNews(schedule({ last_error }))).toBe(true);
    expect(isErrorNews(schedule({ last_error, last_jobs: ran('2029-12-31T00:00:00.000Z') }))).toBe(true);
    expect(isErrorNews(schedule({ last_error, last_jobs: ran('2030-01-02T00:00:00.000Z') }))).toBe(false);
  });
});

describe('a time in a field', () => {
  it('comes back as it was, to the second', () => {
    const seconds = fc.integer({ min: 1_700_000_000, max: 2_500_000_000 });
    fc.assert(
      fc.property(seconds, (at) => {
        const back = timeOfField(fieldTime(at * 1_000));
        // An hour that comes twice in autumn has one name for two times.
        expect([0, 3_600_000]).toContain(Math.abs((back ?? 0) - at * 1_000));
      }),
    );
    expect(timeOfField('')).toBeNull();
  });
});
