import type { ResourceStatus } from '#shared/contracts/resource-status';
import { duration, figure } from '#shared/domain/words';

/** What the attempts of a step came to in the last hour. Null: there are no figures. */
export interface StepRow {
  /** `pipeline/step` */
  readonly name: string;
  readonly pipeline: string;
  readonly attempts: number;
  readonly failures: number;
  readonly retries: number;
  readonly avg: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly max: number | null;
  readonly cpu: number | null;
  readonly cpuMax: number | null;
  readonly memory: number | null;
  readonly memoryMax: number | null;
}

export type Column = Exclude<keyof StepRow, 'pipeline'>;

export const seconds = (value: number): string => duration(value * 1_000);
export const percents = (value: number): string => figure(value, ' %');
export const megabytes = (value: number): string => figure(value, ' MB');
export const count = (value: number): string => value.toLocaleString('en-US');

/** The columns of figures: their heading, what it means, how a value is said. */
export const FIGURES: readonly {
  readonly column: Exclude<Column, 'name'>;
  readonly title: string;
  readonly hint: string;
  readonly format: (value: number) => string;
}[] = [
  { column: 'attempts', title: 'attempts', hint: 'that ended in the last hour', format: count },
  { column: 'failures', title: 'failures', hint: 'attempts that did not complete', format: count },
  { column: 'retries', title: 'retries', hint: 'that were granted after a failure', format: count },
  { column: 'avg', title: 'avg', hint: 'average time of an attempt', format: seconds },
  { column: 'p50', title: 'p50', hint: 'half of the attempts took no longer', format: seconds },
  { column: 'p95', title: 'p95', hint: '95 % of the attempts took no longer', format: seconds },
  { column: 'max', title: 'max', hint: 'the longest attempt', format: seconds },
  { column: 'cpu', title: 'CPU avg', hint: '100 % is one core', format: percents },
  { column: 'cpuMax', title: 'CPU max', hint: '100 % is one core', format: percents },
  { column: 'memory', title: 'memory avg', hint: 'of an attempt', format: megabytes },
  { column: 'memoryMax', title: 'memory max', hint: 'the most that one attempt used', format: megabytes },
];

export function stepRowsOf({ pipelines }: ResourceStatus['metrics']): StepRow[] {
  return Object.entries(pipelines).flatMap(([pipeline, { steps }]) =>
    Object.entries(steps).map(([step, { attempts, failures, retries, ...used }]) => {
      const { avg, p50, p95, max } = used.duration_seconds;
      return {
        ...{ name: `${pipeline}/${step}`, pipeline, attempts, failures, retries, avg, p50, p95, max },
        ...{ cpu: used.cpu_percent.avg, cpuMax: used.cpu_percent.max },
        ...{ memory: used.memory_mb.avg, memoryMax: used.memory_mb.max },
      };
    }),
  );
}

/** An order of rows: by a column, `-` in front: the greatest first. */
export interface Order {
  readonly column: Column;
  readonly isDown: boolean;
}

export const DEFAULT_ORDER: Order = { column: 'p95', isDown: true };

/** The order that an address says, or the default. */
export function orderOf(text: string | null): Order {
  const isDown = text?.startsWith('-') ?? false;
  const named = isDown ? text?.slice(1) : text;
  const column = (['name', ...FIGURES.map((each) => each.column)] as const).find((each) => each === named);
  return column ? { column, isDown } : DEFAULT_ORDER;
}

export const orderText = ({ column, isDown }: Order): string => `${isDown ? '-' : ''}${column}`;

/** What a click on a column's heading asks for: the other way round, or, of another column, what one looks for first. */
export const orderAfter = (order: Order, column: Column): Order =>
  order.column === column ? { column, isDown: !order.isDown } : { column, isDown: column !== 'name' };

/** Those without a figure come last, whichever way; equal ones by name. */
export function sorted(rows: readonly StepRow[], { column, isDown }: Order): StepRow[] {
  const byName = (a: StepRow, b: StepRow): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const sign = isDown ? -1 : 1;
  if (column === 'name') return [...rows].sort((a, b) => sign * byName(a, b));
  return [...rows].sort((a, b) => {
    const [one, other] = [a[column], b[column]];
    if (one === null || other === null) return Number(one === null) - Number(other === null) || byName(a, b);
    return sign * (one - other) || byName(a, b);
  });
}

/** Keeps the rows where they were: as these names were, and new ones after them. */
export function inPlace(rows: readonly StepRow[], names: readonly string[]): StepRow[] {
  const places = new Map(names.map((name, place) => [name, place]));
  const placeOf = ({ name }: StepRow): number => places.get(name) ?? names.length;
  return [...rows].sort((a, b) => placeOf(a) - placeOf(b));
}

/** The step that stands out in a column; null when none has more than 0. */
export function mostOf(rows: readonly StepRow[], column: Exclude<Column, 'name'>): StepRow | null {
  const [first] = sorted(rows, { column, isDown: true });
  return first && (first[column] ?? 0) > 0 ? first : null;
}
