import {
  type HistoryMinute,
  type MinuteOfStep,
  MOST_STEPS,
  type ResourceHistory,
} from '#shared/contracts/resource-history';
import { mergedSketch, quantileSeconds, secondsOf, spreadOf } from '#shared/contracts/spread-of';
import type { StepUsage } from '#shared/domain/usage/step-usage';
import type { UsageFigures, UsageHistory } from '#shared/domain/usage/usage-figures';

const MINUTE_MS = 60_000;
/** The window that is spoken of when nothing is known. */
const WINDOW_MINUTES = 60;

/** The answer of `GET /v1/ingest/resource_history`. @param history null: it was never read */
export function resourceHistoryOf(history: UsageHistory | null): ResourceHistory {
  const { nowMinuteMs, windowMinutes, minutes } = history ?? {
    ...{ nowMinuteMs: 0, windowMinutes: WINDOW_MINUTES },
    minutes: new Map<number, UsageFigures>(),
  };
  const known = [...minutes.values()];
  const steps = busiestFirst(known);
  const told = new Set(steps.slice(0, MOST_STEPS));
  const first = nowMinuteMs - (windowMinutes - 1) * MINUTE_MS;
  return {
    window_seconds: windowMinutes * 60,
    ...p95Of(known),
    steps: [...told],
    steps_left_out: steps.length - told.size,
    minutes:
      history === null
        ? []
        : Array.from({ length: windowMinutes }, (_, nth) => {
            const minuteMs = first + nth * MINUTE_MS;
            return minuteOf(minuteMs, minutes.get(minuteMs), told);
          }),
    stale: history === null,
  };
}

const nameOf = ({ pipeline, step }: UsageFigures['steps'][number]): string => `${pipeline}/${step}`;

/** All steps, those first whose attempts took most time together. */
function busiestFirst(minutes: readonly UsageFigures[]): string[] {
  const busy = new Map<string, { ms: number; attempts: number }>();
  for (const figures of minutes.flatMap(({ steps }) => steps)) {
    const { ms, attempts } = busy.get(nameOf(figures)) ?? { ms: 0, attempts: 0 };
    const { usage } = figures;
    busy.set(nameOf(figures), { ms: ms + usage.durationMs.sum, attempts: attempts + usage.attempts });
  }
  return [...busy]
    .sort(([name, a], [other, b]) => b.ms - a.ms || b.attempts - a.attempts || (name < other ? -1 : 1))
    .map(([name]) => name);
}

function minuteOf(minuteMs: number, figures: UsageFigures | undefined, told: ReadonlySet<string>): HistoryMinute {
  const ended = (status: string): number =>
    (figures?.jobs ?? []).reduce((sum, { status: as, jobs }) => (as === status ? sum + jobs : sum), 0);
  const steps = (figures?.steps ?? []).filter((step) => told.has(nameOf(step)));
  return {
    at: new Date(minuteMs).toISOString(),
    jobs: { completed: ended('completed'), failed: ended('failed'), cancelled: ended('cancelled') },
    ...p95Of(figures ? [figures] : []),
    // A step may be called like anything, `__proto__` too.
    steps: Object.fromEntries(steps.map((step) => [nameOf(step), stepOf(step.usage)])),
  };
}

function p95Of(figures: readonly UsageFigures[]): Pick<HistoryMinute, 'wait_seconds_p95' | 'duration_seconds_p95'> {
  const waits = figures.flatMap((each) => each.waits.map(({ waitMs }) => waitMs));
  const durations = figures.flatMap((each) => each.jobs.map(({ durationMs }) => durationMs));
  return {
    wait_seconds_p95: quantileSeconds(mergedSketch(waits), 0.95),
    duration_seconds_p95: quantileSeconds(mergedSketch(durations), 0.95),
  };
}

function stepOf({ attempts, failures, retryCount, durationMs, cpuPercent, memoryMb }: StepUsage): MinuteOfStep {
  const { avg, p50, p95, max } = secondsOf(durationMs);
  const peaksOf = ({ avg: mean, max: most }: ReturnType<typeof spreadOf>): MinuteOfStep['cpu_percent'] => ({
    avg: mean,
    max: most,
  });
  return {
    ...{ attempts, failures, retries: retryCount },
    duration_seconds: { avg, p50, p95, max },
    cpu_percent: peaksOf(spreadOf(cpuPercent)),
    memory_mb: peaksOf(spreadOf(memoryMb)),
  };
}
