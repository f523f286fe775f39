import type { JobView, StepView } from '#shared/contracts/job';
import { colouredStatus, type Colours } from '../output/colours';
import { startOf, startWords } from '../output/start-words';
import { clockTime, duration, figure, percent, retries, until } from '#shared/domain/words';
import { oneLine } from '../output/words';
import type { JobEvent } from './job-socket';
import type { JobUpdate } from './job-stream';

/** An update in words: a line for an event; for a job as it is now, one more for each step that there is news of. */
export function describeUpdate(update: JobUpdate, colours: Colours, now: number): string {
  if (update.type === 'event') return describeEvent(update, colours, now);
  const { job } = update;
  const at = clockTime(new Date(now).toISOString());
  const line = `${at}  ${oneLine(job.pipeline)} ${colouredStatus(job.status, colours)}`;
  const start = startWords(job, now);
  return [
    start === null ? `${line} ${percent(job.progress)}` : `${line}, ${start}`,
    ...stepsWithNews(job).map((step) => `${' '.repeat(at.length)}  ${describeStep(step, colours, now)}`),
  ].join('\n');
}

/** Of an ended job the table follows. */
const stepsWithNews = ({ status, steps }: JobView): StepView[] =>
  status === 'running' || status === 'cancelling'
    ? steps.filter((step) => ['running', 'retrying', 'failed'].includes(step.status))
    : [];

function describeStep(step: StepView, colours: Colours, now: number): string {
  const parts = [oneLine(step.name), colouredStatus(step.status, colours)];
  if (step.status === 'running') parts.push(percent(step.progress));
  if (step.attempt > 1) parts.push(`attempt ${step.attempt}`);
  if (step.status === 'retrying') {
    parts.push(`retry ${retries(step.retry_count, step.max_retries)} ${until(step.next_retry_at, now)}`);
  }
  if (step.last_error) parts.push(colours.red(oneLine(`${step.last_error.kind}: ${step.last_error.message}`)));
  return parts.join('  ');
}

function describeEvent(event: JobEvent, colours: Colours, now: number): string {
  const parts = [clockTime(event.at), event.event.padEnd(14)];
  if (event.step !== undefined) parts.push(oneLine(event.step));
  if (event.progress !== undefined) parts.push(percent(event.progress));
  if (event.event === 'step.started' && (event.attempt ?? 1) > 1) parts.push(`attempt ${event.attempt}`);
  if (event.event === 'step.retrying') parts.push(retryWords(event, now));
  if (event.event === 'job.scheduled' && event.eta !== undefined) parts.push(`starts ${startOf(event.eta, now)}`);
  parts.push(...figureWords(event));
  const { last_error: fault, message } = event;
  if (fault) parts.push(colours.red(oneLine(`${fault.kind}: ${fault.message}`)));
  else if (message) parts.push(colours.dim(oneLine(message)));
  return parts.join('  ').trimEnd();
}

/** What the attempt that ended took and used. */
const figureWords = ({ duration_ms, cpu_percent, memory_mb }: JobEvent): string[] => [
  ...(duration_ms === undefined ? [] : [`in ${duration(duration_ms)}`]),
  ...(cpu_percent === undefined ? [] : [`CPU ${figure(cpu_percent, ' %')}`]),
  ...(memory_mb === undefined ? [] : [figure(memory_mb, ' MB')]),
];

const retryWords = (event: JobEvent, now: number): string =>
  `retry ${event.retry_count ?? '?'} ${until(event.next_retry_at ?? null, now)}`;
