import type { PipelineView, WorkerView } from '#shared/contracts/fleet';
import type { AttemptView } from '#shared/contracts/job';
import type { SearchHit } from '../rest-answers';
import type { Colours } from './colours';
import type { View } from './printer';
import { duration, figure, localTime } from '#shared/domain/words';
import { oneLine } from './words';

export const ATTEMPTS: View<AttemptView> = {
  id: ({ step, number }) => `${oneLine(step)}#${number}`,
  columns: [
    { title: 'STEP', cell: ({ step }) => oneLine(step) },
    { title: 'ATTEMPT', align: 'right', cell: ({ number }) => String(number) },
    { title: 'OUTCOME', cell: ({ outcome }, colours) => outcomeWord(outcome, colours) },
    { title: 'STARTED', cell: ({ started_at }) => localTime(started_at) },
    { title: 'DURATION', align: 'right', cell: ({ duration_ms }) => duration(duration_ms) },
    { title: 'CPU', align: 'right', cell: ({ cpu_percent }) => figure(cpu_percent, ' %') },
    { title: 'MEMORY', align: 'right', cell: ({ memory_mb }) => figure(memory_mb, ' MB') },
    { title: 'NEXT IN', align: 'right', cell: ({ next_delay_ms }) => duration(next_delay_ms) },
    { title: 'WORKER', cell: ({ worker }) => oneLine(worker ?? '-') },
    { title: 'ERROR', flexible: true, cell: ({ error }) => (error ? oneLine(`${error.kind}: ${error.message}`) : '-') },
  ],
};

function outcomeWord(outcome: AttemptView['outcome'], colours: Colours): string {
  if (outcome === null) return colours.cyan('running');
  return outcome === 'completed' ? colours.green(outcome) : colours.red(outcome);
}

export const HITS: View<SearchHit> = {
  id: ({ path }) => oneLine(path),
  columns: [
    { title: 'KIND', cell: ({ kind }) => oneLine(kind) },
    { title: 'PATH', cell: ({ path }) => oneLine(path) },
    { title: 'NAME', cell: ({ name }) => oneLine(name) },
    { title: 'TEXT', flexible: true, cell: ({ snippet }, colours) => highlighted(oneLine(snippet), colours) },
  ],
};

/** The gateway puts words that were found between `**`. */
const highlighted = (snippet: string, colours: Colours): string =>
  colours.isColorSupported ? snippet.replace(/\*\*(.+?)\*\*/g, (_, words: string) => colours.bold(words)) : snippet;

export const WORKERS: View<WorkerView> = {
  id: ({ id }) => oneLine(id),
  columns: [
    { title: 'WORKER', cell: ({ id }) => oneLine(id) },
    {
      title: 'STATUS',
      cell: ({ status }, colours) => (status === 'alive' ? colours.green(status) : colours.red(status)),
    },
    { title: 'RUNNING', align: 'right', cell: ({ running, capacity }) => `${running}/${capacity}` },
    { title: 'CPU', align: 'right', cell: ({ cpu_percent }) => figure(cpu_percent, ' %') },
    { title: 'MEMORY', align: 'right', cell: ({ memory_mb }) => figure(memory_mb, ' MB') },
    { title: 'LAST SEEN', cell: ({ last_seen }) => localTime(last_seen) },
    { title: 'VERSION', cell: ({ version }) => oneLine(version) },
  ],
};

/** What is shown of a pipeline, whether the gateway or a file says it. */
interface ShownPipeline extends Pick<PipelineView, 'name' | 'description' | 'source'> {
  readonly steps: readonly { readonly name: string; readonly needs: readonly string[] }[];
}

export const PIPELINES: View<ShownPipeline> = {
  id: ({ name }) => oneLine(name),
  columns: [
    { title: 'PIPELINE', cell: ({ name }) => oneLine(name) },
    { title: 'SOURCE', cell: ({ source }) => source },
    { title: 'STEPS', cell: ({ steps }) => oneLine(steps.map(stepWords).join(', ')) },
    { title: 'DESCRIPTION', flexible: true, cell: ({ description }) => oneLine(description) },
  ],
};

/** `symbols (after filesystem)` */
const stepWords = ({ name, needs }: ShownPipeline['steps'][number]): string =>
  needs.length === 0 ? name : `${name} (after ${needs.join(', ')})`;
