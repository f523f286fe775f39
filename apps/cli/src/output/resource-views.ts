import type { ResourceStatus } from '#shared/contracts/resource-status';
import type { Colours } from './colours';
import type { Column } from './table';
import { duration, localTime, longDuration } from '#shared/domain/words';
import { oneLine } from './words';

type Metrics = ResourceStatus['metrics'];
type Pool = ResourceStatus['limits'][string];
type Table = <Item>(columns: readonly Column<Item>[], items: readonly Item[]) => string;

/** Of those who hold tokens so many are named in a table. */
const HOLDERS = 2;

const seconds = (value: number | null): string => duration(value === null ? null : value * 1_000);
const figure = (value: number | null, unit: string): string => (value === null ? '-' : `${value.toFixed(1)}${unit}`);

interface StepLine {
  readonly pipeline: string;
  readonly step: string;
  readonly figures: Metrics['steps'][string];
}

const STEPS: readonly Column<StepLine>[] = [
  { title: 'PIPELINE', cell: ({ pipeline }) => oneLine(pipeline) },
  { title: 'STEP', cell: ({ step }) => oneLine(step) },
  { title: 'ATTEMPTS', align: 'right', cell: ({ figures }) => String(figures.attempts) },
  { title: 'FAILED', align: 'right', cell: ({ figures }, colours) => alarming(figures.failures, colours) },
  { title: 'RETRIES', align: 'right', cell: ({ figures }) => String(figures.retries) },
  { title: 'AVG', align: 'right', cell: ({ figures }) => seconds(figures.duration_seconds.avg) },
  { title: 'P50', align: 'right', cell: ({ figures }) => seconds(figures.duration_seconds.p50) },
  { title: 'P95', align: 'right', cell: ({ figures }) => seconds(figures.duration_seconds.p95) },
  { title: 'MAX', align: 'right', cell: ({ figures }) => seconds(figures.duration_seconds.max) },
  { title: 'AVG CPU', align: 'right', cell: ({ figures }) => figure(figures.cpu_percent.avg, ' %') },
  { title: 'MAX MEMORY', align: 'right', cell: ({ figures }) => figure(figures.memory_mb.max, ' MB') },
];

const alarming = (count: number, colours: Colours): string => (count > 0 ? colours.red(String(count)) : '0');

interface Named<Value> {
  readonly name: string;
  readonly value: Value;
}

const QUEUES: readonly Column<Named<ResourceStatus['queues'][string]>>[] = [
  { title: 'QUEUE', cell: ({ name }) => oneLine(name) },
  { title: 'READY', align: 'right', cell: ({ value }) => (value.ready === null ? '?' : String(value.ready)) },
  { title: 'RUNNING', align: 'right', cell: ({ value }) => String(value.running) },
  { title: 'RETRYING', align: 'right', cell: ({ value }) => String(value.retrying) },
  { title: 'OLDEST WAITS', align: 'right', cell: ({ value }) => seconds(value.oldest_ready_seconds) },
];

const poolColumns = (title: string): readonly Column<Named<Pool>>[] => [
  { title, cell: ({ name }) => oneLine(name) },
  { title: 'FREE', align: 'right', cell: ({ value }) => `${value.available}/${value.max}` },
  { title: 'HELD BY', flexible: true, cell: ({ value }) => holders(value) },
];

function holders({ held_by }: Pool): string {
  if (held_by.length === 0) return '-';
  const named = held_by.slice(0, HOLDERS).map(({ job_id, step }) => oneLine(`${step} of ${job_id}`));
  const more = held_by.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

const WORKERS: readonly Column<ResourceStatus['workers'][number]>[] = [
  { title: 'WORKER', cell: ({ name }) => oneLine(name) },
  {
    title: 'STATUS',
    cell: ({ status }, colours) => (status === 'alive' ? colours.green(status) : colours.red(status)),
  },
  { title: 'RUNNING', align: 'right', cell: ({ running, capacity }) => `${running}/${capacity}` },
  { title: 'CPU', align: 'right', cell: ({ status, cpu_percent }) => figure(ofAlive(status, cpu_percent), ' %') },
  { title: 'MEMORY', align: 'right', cell: ({ status, memory_mb }) => figure(ofAlive(status, memory_mb), ' MB') },
  { title: 'LAST SEEN', cell: ({ last_seen }) => localTime(last_seen) },
];

/** One that has gone uses nothing that anybody knows of. */
const ofAlive = (status: 'alive' | 'gone', value: number | null): number | null => (status === 'alive' ? value : null);

const JOBS: readonly Column<Named<number>>[] = [
  { title: 'JOBS', cell: ({ name }) => name },
  { title: 'NOW', align: 'right', cell: ({ value }) => String(value) },
];

const named = <Value>(values: Readonly<Record<string, Value>>): Named<Value>[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }));

/** All of it as tables, for people. What has nothing in it is left out. */
export function resourceText(status: ResourceStatus, table: Table): string {
  const { metrics, tokens, limits, queues, workers, jobs } = status;
  const steps = Object.entries(metrics.pipelines).flatMap(([pipeline, figures]) =>
    Object.entries(figures.steps).map(([step, each]): StepLine => ({ pipeline, step, figures: each })),
  );
  const present = named(jobs).filter(({ value }) => value > 0);
  const parts = [
    jobsSentence(metrics),
    steps.length > 0 ? table(STEPS, steps) : '',
    table(QUEUES, named(queues)),
    named(tokens.pools).length > 0 ? table(poolColumns('TOKENS'), named(tokens.pools)) : '',
    named(limits).length > 0 ? table(poolColumns('LIMIT'), named(limits)) : '',
    workers.length > 0 ? table(WORKERS, workers) : 'No workers.\n',
    present.length > 0 ? table(JOBS, present) : '',
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function jobsSentence({ window_seconds, job_count, duration_seconds: took }: Metrics): string {
  const window = longDuration(window_seconds * 1_000);
  if (job_count === 0) return `No job ended in the last ${window}.\n`;
  const ended = job_count === 1 ? '1 job' : `${job_count} jobs`;
  if (took.avg === null) return `${ended} ended in the last ${window}.\n`;
  const lasted = `they took ${seconds(took.avg)} on average, 95 % at most ${seconds(took.p95)}`;
  return `${ended} ended in the last ${window}; ${lasted}.\n`;
}
