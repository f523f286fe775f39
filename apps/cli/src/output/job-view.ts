import type { JobView, StepView } from '#shared/contracts/job';
import { colouredStatus } from './colours';
import type { View } from './printer';
import { namesOf, startOf } from './start-words';
import type { Column } from './table';
import { counted, duration, figure, localTime, percent, retries, until } from '#shared/domain/words';
import { oneLine } from './words';

/** Jobs, one a line; a single one with its steps. @param now milliseconds since 1970 */
export function jobsView(now: number): View<JobView> {
  return {
    id: ({ id }) => id,
    columns: [
      { title: 'JOB', cell: ({ id }) => id },
      { title: 'PIPELINE', cell: ({ pipeline }) => oneLine(pipeline) },
      { title: 'STATUS', cell: ({ status }, colours) => colouredStatus(status, colours) },
      { title: 'PROGRESS', align: 'right', cell: ({ progress }) => percent(progress) },
      { title: 'RETRIES', align: 'right', cell: (job) => retries(job.retry_count, maxRetries(job)) },
      { title: 'NEXT', cell: (job) => next(job, now) },
      { title: 'DURATION', align: 'right', cell: (job) => elapsed(job, now) },
      { title: 'CREATED', cell: ({ created_at }) => localTime(created_at) },
      { title: 'LAST ERROR', flexible: true, cell: lastErrorOfJob },
    ],
    detail: (job, colours, table) => {
      const facts: [string, string][] = [
        ['Job', job.id],
        ['Pipeline', oneLine(job.pipeline)],
        ['Source', oneLine([job.source, job.branch].filter((part) => part !== null).join(' @ '))],
        ['Status', `${colouredStatus(job.status, colours)}, ${percent(job.progress)}`],
        ['Priority', job.priority === 'default' ? '' : job.priority],
        ['Starts', job.status === 'scheduled' && job.eta !== null ? startOf(job.eta, now) : ''],
        ['After', job.depends_on.length > 0 ? afterWords(job) : ''],
        ['Tags', oneLine(job.tags.join(', '))],
        ['About', oneLine(job.description ?? '')],
        ['Created', localTime(job.created_at)],
        ['Duration', job.started_at === null ? '' : elapsed(job, now)],
        ['Error', job.last_error === null || stepOfError(job) ? '' : colours.red(lastError(job))],
      ];
      const lines = facts
        .filter(([, fact]) => fact !== '')
        .map(([title, fact]) => `${colours.bold(title.padEnd(9))} ${fact}`);
      return `${lines.join('\n')}\n\n${table(stepColumns(now), job.steps)}`;
    },
  };
}

const stepColumns = (now: number): Column<StepView>[] => [
  { title: 'STEP', cell: ({ name }) => oneLine(name) },
  { title: 'STATUS', cell: ({ status }, colours) => colouredStatus(status, colours) },
  { title: 'PROGRESS', align: 'right', cell: ({ progress }) => percent(progress) },
  { title: 'RETRIES', align: 'right', cell: (step) => retries(step.retry_count, step.max_retries) },
  { title: 'NEXT RETRY', cell: (step) => until(step.next_retry_at, now) },
  { title: 'DURATION', align: 'right', cell: (step) => elapsed(step, now) },
  { title: 'CPU', align: 'right', cell: ({ cpu_percent }) => figure(cpu_percent, ' %') },
  { title: 'MEMORY', align: 'right', cell: ({ memory_mb }) => figure(memory_mb, ' MB') },
  { title: 'LAST ERROR', flexible: true, cell: lastError },
];

const lastError = ({ last_error }: Pick<JobView, 'last_error'>): string =>
  last_error === null ? '-' : oneLine(`${last_error.kind}: ${last_error.message}`);

/** With the step that it is of. */
function lastErrorOfJob(job: JobView): string {
  const step = stepOfError(job);
  return step ? `${oneLine(step.name)}: ${lastError(job)}` : lastError(job);
}

/** undefined: there was no error, or none of a step. */
const stepOfError = ({ last_error, steps }: JobView): StepView | undefined =>
  last_error === null ? undefined : steps.find((each) => each.last_error?.at === last_error.at);

const maxRetries = (job: JobView): number => job.steps.reduce((sum, step) => sum + step.max_retries, 0);

/** When it starts, or after how many others; when it goes on after an error. */
function next(job: JobView, now: number): string {
  if (job.status === 'waiting') return `after ${counted(job.depends_on.length, 'job')}`;
  return until(job.status === 'scheduled' ? job.eta : nextRetry(job), now);
}

const afterWords = ({ depends_on: ids, on_dependency_failure: onFailure }: JobView): string =>
  `${namesOf(ids)}${onFailure === 'run' ? ' (also when one fails or is cancelled)' : ''}`;

/** The soonest of its steps'; null when none is in back-off. */
function nextRetry(job: JobView): string | null {
  const times = job.steps
    .filter(({ status }) => status === 'retrying')
    .flatMap(({ next_retry_at }) => next_retry_at ?? []);
  return times.sort()[0] ?? null;
}

/** How long it took, or has taken so far. */
function elapsed(item: Pick<JobView, 'started_at' | 'completed_at' | 'duration_ms'>, now: number): string {
  if (item.duration_ms !== null) return duration(item.duration_ms);
  if (item.started_at === null || item.completed_at !== null) return '-';
  return duration(Math.max(0, now - Date.parse(item.started_at)));
}
