import type { ScheduleView } from '#shared/contracts/schedule';

export const OVERLAP_WORDS: Readonly<Record<ScheduleView['overlap'], string>> = {
  skip: 'the run is skipped',
  queue: 'the run waits for it',
  allow: 'both run',
};

export const CATCH_UP_WORDS: Readonly<Record<ScheduleView['catch_up'], string>> = {
  none: 'what was missed stays undone',
  last: 'the last missed run is made up for',
  all: 'all missed runs are made up for',
};

/** What a schedule is called: by people, else by what its jobs run. */
export function scheduleName({ description, job }: ScheduleView): string {
  if (description !== null && description !== '') return description;
  const { pipeline, source } = job;
  return [pipeline, source].filter((each) => typeof each === 'string').join(' · ');
}

/** Whether the last run that could not be made is news: no later one was made. */
export const isErrorNews = ({ last_error, last_jobs }: ScheduleView): boolean =>
  last_error !== null && !last_jobs.some(({ created_at }) => created_at > last_error.at);
