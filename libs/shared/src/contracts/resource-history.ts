import { z } from 'zod';

const figure = z.number().nullable();
const count = z.number().int();

/** Of how many steps the history is told at most: an hour of more would be too much to send again and again. */
export const MOST_STEPS = 30;

const peaks = z.object({ avg: figure, max: figure });

export const minuteOfStep = z.object({
  attempts: count.describe('that ended in the minute'),
  failures: count.describe('of them, those that did not complete'),
  retries: count,
  duration_seconds: z.object({ avg: figure, p50: figure, p95: figure, max: figure }),
  cpu_percent: peaks,
  memory_mb: peaks,
});
export type MinuteOfStep = z.infer<typeof minuteOfStep>;

export const historyMinute = z.object({
  at: z.string().describe('when the minute began; ISO 8601, UTC, milliseconds'),
  jobs: z.object({ completed: count, failed: count, cancelled: count }).describe('that ended in the minute'),
  wait_seconds_p95: figure.describe('from when a job could begin to its first step'),
  duration_seconds_p95: figure.describe('of the jobs that ended, from their start to their end'),
  steps: z.record(z.string(), minuteOfStep).describe('by pipeline/step; those of which no attempt ended are left out'),
});
export type HistoryMinute = z.infer<typeof historyMinute>;

/** The answer of `GET /v1/ingest/resource_history`. */
export const resourceHistory = z.object({
  window_seconds: count,
  wait_seconds_p95: figure.describe('of all the minutes'),
  duration_seconds_p95: figure,
  steps: z
    .array(z.string())
    .describe(
      `pipeline/step of those that the minutes tell of: the ${MOST_STEPS} whose attempts took most time together`,
    ),
  steps_left_out: count.describe('how many more had attempts in the window'),
  minutes: z
    .array(historyMinute)
    .describe('every minute of the window, the oldest first; the last goes on. Empty when nothing was ever known'),
  stale: z.boolean().describe('the database did not answer: as it was known last'),
});
export type ResourceHistory = z.infer<typeof resourceHistory>;
