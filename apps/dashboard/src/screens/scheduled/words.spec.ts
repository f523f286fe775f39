import type { ScheduleView } from '#shared/contracts/schedule';
import { isErrorNews, scheduleName } from './words';

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
