import { faultsByField, scheduleBody } from './schedule-form';

const FORM = {
  cron: '0 3 * * *',
  timezone: 'Europe/Berlin',
  pipeline: 'repository',
  source: ' /srv/repo ',
  description: '',
  overlap: 'skip',
  catch_up: 'last',
} as const;

describe('the body of a new schedule', () => {
  it('says what was filled in, and nothing of what was left empty', () => {
    expect(scheduleBody(FORM)).toEqual({
      cron: '0 3 * * *',
      timezone: 'Europe/Berlin',
      overlap: 'skip',
      catch_up: 'last',
      job: { pipeline: 'repository', source: '/srv/repo' },
    });
    expect(scheduleBody({ ...FORM, source: '', description: 'nightly' })).toMatchObject({
      description: 'nightly',
      job: { pipeline: 'repository' },
    });
  });
});

describe('the faults that the gateway finds', () => {
  it('stand at their fields; what belongs to none is kept', () => {
    const faults = [
      { path: 'cron', message: 'five fields' },
      { path: 'cron', message: 'or six' },
      { path: 'job.source', message: 'is not there' },
      { path: 'job.steps', message: 'unknown' },
      { path: '', message: 'odd' },
    ];
    expect(faultsByField(faults)).toEqual({
      fields: { cron: 'five fields; or six', source: 'is not there' },
      others: ['job.steps: unknown', 'odd'],
    });
  });
});
