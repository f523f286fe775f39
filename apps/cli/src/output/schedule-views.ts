import type { ScheduleView } from '#shared/contracts/schedule';
import { colouredStatus } from './colours';
import type { View } from './printer';
import { counted, localTime, until } from '#shared/domain/words';
import { oneLine } from './words';

type LastJob = ScheduleView['last_jobs'][number];

/** Schedules, one a line; a single one with its next runs and last jobs. @param now milliseconds since 1970 */
export function schedulesView(now: number): View<ScheduleView> {
  return {
    id: ({ id }) => oneLine(id),
    columns: [
      { title: 'SCHEDULE', cell: ({ id }) => oneLine(id) },
      { title: 'WHEN', cell: ({ cron_text }) => oneLine(cron_text) },
      { title: 'ZONE', cell: ({ timezone }) => oneLine(timezone) },
      { title: 'NEXT RUN', cell: (schedule) => nextRunWords(schedule, now) },
      { title: 'PIPELINE', cell: ({ job }) => oneLine(typeof job['pipeline'] === 'string' ? job['pipeline'] : '-') },
      { title: 'LAST JOB', cell: ({ last_jobs: [last] }) => oneLine(last?.id ?? '-') },
      {
        title: 'STATUS',
        cell: ({ last_jobs: [last] }, colours) => (last ? colouredStatus(last.status, colours) : '-'),
      },
      { title: 'NOTES', flexible: true, cell: (schedule) => notesOf(schedule).join('; ') || '-' },
    ],
    detail: (schedule, colours, table) => {
      const facts: [string, string][] = [
        ['Schedule', oneLine(schedule.id)],
        ['When', `${oneLine(schedule.cron_text)} (${oneLine(schedule.cron)})`],
        ['Zone', oneLine(schedule.timezone)],
        ['About', oneLine(schedule.description ?? '')],
        ['Job', oneLine(JSON.stringify(schedule.job))],
        ['Overlap', schedule.overlap],
        ['Catch up', schedule.catch_up],
        ['Skipped', schedule.skipped_count > 0 ? skippedWords(schedule) : ''],
        ['Missed', schedule.missed_count > 0 ? counted(schedule.missed_count, 'run') : ''],
        ['No run', schedule.last_error ? errorWords(schedule.last_error) : ''],
        ['Next', schedule.next_runs.length === 0 ? nextRunWords(schedule, now) : ''],
        ...schedule.next_runs.map((at, index): [string, string] => [
          index === 0 ? 'Next' : '',
          `${localTime(at)} (${until(at, now)})`,
        ]),
      ];
      const lines = facts
        .filter(([, fact]) => fact !== '')
        .map(([title, fact]) => `${colours.bold(title.padEnd(9))} ${fact}`);
      const jobs = schedule.last_jobs.length > 0 ? `\n\n${table(JOB_COLUMNS, schedule.last_jobs)}` : '\n';
      return `${lines.join('\n')}${jobs}`;
    },
  };
}

const JOB_COLUMNS: View<LastJob>['columns'] = [
  { title: 'LAST JOBS', cell: ({ id }) => oneLine(id) },
  { title: 'STATUS', cell: ({ status }, colours) => colouredStatus(status, colours) },
  { title: 'DUE', cell: ({ due_at }) => (due_at === null ? 'by hand' : localTime(due_at)) },
  { title: 'CREATED', cell: ({ created_at }) => localTime(created_at) },
];

/** `in 3h 20m` */
function nextRunWords({ enabled, next_runs: [next] }: ScheduleView, now: number): string {
  if (!enabled) return 'disabled';
  return next === undefined ? 'never' : until(next, now);
}

/** When it runs next, in a sentence. */
export function nextRunSentence(schedule: ScheduleView, now: number): string {
  const when = `${oneLine(schedule.cron_text)} (${oneLine(schedule.timezone)})`;
  const [next] = schedule.next_runs;
  if (!schedule.enabled) return `${when}, but it is disabled: sluice schedules update ${oneLine(schedule.id)} --enable`;
  if (next === undefined) return `${when}: it will not run again.`;
  return `${when}: runs next ${until(next, now)}, at ${localTime(next)} local time.`;
}

/** What is not as it should be: a run that could not be made counts until there is a later one. */
function notesOf(schedule: ScheduleView): string[] {
  const { last_error, last_jobs, skipped_count } = schedule;
  const isNews = last_error !== null && !last_jobs.some(({ created_at }) => created_at > last_error.at);
  return [
    ...(isNews ? [`no run: ${oneLine(last_error.message)}`] : []),
    ...(skipped_count > 0 ? [`${skipped_count} skipped`] : []),
  ];
}

const skippedWords = ({ skipped_count, last_skipped_at }: ScheduleView): string =>
  `${counted(skipped_count, 'run')}, the last one due ${localTime(last_skipped_at)}`;

const errorWords = ({ message, due_at }: NonNullable<ScheduleView['last_error']>): string =>
  `${localTime(due_at)}: ${oneLine(message)}`;
