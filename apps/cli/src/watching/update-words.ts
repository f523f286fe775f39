import { colouredStatus, type Colours } from '../output/colours';
import { clockTime, oneLine, percent, until } from '../output/words';
import type { JobEvent } from './job-socket';
import type { JobUpdate } from './job-stream';

/** An update as one line. */
export function describeUpdate(update: JobUpdate, colours: Colours, now: number): string {
  if (update.type === 'event') return describeEvent(update, colours, now);
  const { job } = update;
  const at = clockTime(new Date(now).toISOString());
  return `${at}  ${oneLine(job.pipeline)} ${colouredStatus(job.status, colours)} ${percent(job.progress)}`;
}

function describeEvent(event: JobEvent, colours: Colours, now: number): string {
  const parts = [clockTime(event.at), event.event.padEnd(14)];
  if (event.step !== undefined) parts.push(oneLine(event.step));
  if (event.progress !== undefined) parts.push(percent(event.progress));
  if (event.event === 'step.started' && (event.attempt ?? 1) > 1) parts.push(`attempt ${event.attempt}`);
  if (event.event === 'step.retrying') parts.push(retryWords(event, now));
  if (event.eta !== undefined) parts.push(`at ${event.eta}`);
  const isFault = event.event.endsWith('.failed') || event.event === 'step.retrying';
  const words = isFault ? event.last_error?.message : event.message;
  if (words) parts.push(isFault ? colours.red(oneLine(words)) : colours.dim(oneLine(words)));
  return parts.join('  ');
}

const retryWords = (event: JobEvent, now: number): string =>
  `retry ${event.retry_count ?? '?'} ${until(event.next_retry_at ?? null, now)}`;
