import type { MinuteOfStep, ResourceHistory } from '#shared/contracts/resource-history';
import { type ChartLine, TONES } from '../../ui/chart-words';

/** Whether charts show the averages of each minute, or its worst: p95 of the time, most CPU and memory. */
export type Show = 'worst' | 'average';

/** A chart tells so many lines apart. */
export const MOST_LINES = TONES.length;
/** How many steps are shown when none was chosen. */
const DEFAULT_LINES = 4;

/** The steps that are shown: those chosen of which anything is known, or else the busiest. In the order of their names. */
export function shownSteps(known: readonly string[], chosen: readonly string[]): string[] {
  const wanted = chosen.filter((name) => known.includes(name)).slice(0, MOST_LINES);
  return (wanted.length > 0 ? wanted : known.slice(0, DEFAULT_LINES)).toSorted();
}

/** The lines of a chart: what a figure was in each minute, of each step. */
export const stepLines = (
  minutes: ResourceHistory['minutes'],
  steps: readonly string[],
  figureOf: (minute: MinuteOfStep) => number | null,
): ChartLine[] =>
  steps.map((label, nth) => ({
    ...{ label, tone: TONES[nth % TONES.length] ?? 'accent' },
    values: minutes.map(({ steps: figures }) => {
      const minute = figures[label];
      return minute ? figureOf(minute) : null;
    }),
  }));

export const CHARTS: Readonly<
  Record<'duration' | 'cpu' | 'memory', Readonly<Record<Show, (minute: MinuteOfStep) => number | null>>>
> = {
  duration: { worst: (minute) => minute.duration_seconds.p95, average: (minute) => minute.duration_seconds.avg },
  cpu: { worst: (minute) => minute.cpu_percent.max, average: (minute) => minute.cpu_percent.avg },
  memory: { worst: (minute) => minute.memory_mb.max, average: (minute) => minute.memory_mb.avg },
};
