import { z } from 'zod';
import { OUTCOMES } from '#shared/domain/status';
import { THRESHOLDS } from '#shared/domain/usage/sketch';

const count = z.number().int().min(0);

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, each) => sum + each, 0);

export const sketch = z
  .object({
    count,
    sum: z.number(),
    min: z.number().nullable(),
    max: z.number().nullable(),
    buckets: z
      .record(
        z
          .string()
          .regex(/^\d{1,3}$/)
          .refine((bucket) => Number(bucket) <= THRESHOLDS.length, 'a bucket that there is'),
        count,
      )
      .describe('values by bucket, see domain/usage/sketch.ts'),
  })
  .refine(({ count: values, buckets }) => total(buckets) === values, 'the buckets hold another number of values')
  .refine(
    ({ count: values, min, max }) => (values === 0) === (min === null || max === null) && (min ?? 0) <= (max ?? 0),
    'least and most do not fit',
  );

export const ERROR_KINDS = ['transient', 'permanent', 'timeout', 'crashed', 'cancelled'] as const;

/** No negative figures. */
const used = sketch.refine(({ min }) => (min ?? 0) >= 0, 'a figure below 0');

export const stepUsage = z
  .object({
    outcomes: z.partialRecord(z.enum(OUTCOMES), count),
    retries: z.partialRecord(z.enum(ERROR_KINDS), count),
    duration_ms: used,
    cpu_percent: used,
    memory_mb: used,
  })
  .refine(
    ({ outcomes, retries, duration_ms, cpu_percent, memory_mb }) =>
      Math.max(total(retries), duration_ms.count, cpu_percent.count, memory_mb.count) <= total(outcomes),
    'says more of attempts than there were',
  );

const usageOfMinute = z.object({
  minute: z.iso.datetime().describe('in which the attempts ended, by the clock of the database'),
  pipeline: z.string().min(1).max(200),
  step: z.string().min(1).max(200),
  usage: stepUsage,
});

/**
 * What a service publishes to `sluice.telemetry.<service>` about once a second while there is something to say: attempts
 * that have ended since its last one, counted by minute and step; and how late the jobs were that it handed out.
 */
export const telemetryBatch = z.object({
  id: z.string().min(1).max(200).describe('the same when it is sent again: it is counted once'),
  sender: z.string().max(200),
  steps: z.array(usageOfMinute).max(10_000),
  lateness_seconds: sketch.optional(),
});
export type TelemetryBatch = z.infer<typeof telemetryBatch>;
