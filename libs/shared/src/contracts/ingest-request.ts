import { z } from 'zod';
import { jsonObject, storableString } from '#shared/contracts/json-input';
import { countdownFault, parseEta, parseIsoTime } from '#shared/contracts/start-time';
import { JOB_STATUSES, PRIORITIES } from '#shared/domain/status';
import { MAX_STEPS } from '#shared/domain/step-set';
import { DEPENDENCY_FAILURES } from '#shared/domain/turn/job-hold';

/** Jobs that one batch may hold. */
export const MAX_BATCH = 1_000;
/** Bytes that a body may have. */
export const MAX_BODY_BYTES = 1_048_576;
export const MAX_PAGE = 200;
export const DEFAULT_PAGE = 50;
const MAX_TAGS = 50;
/** Jobs that one may wait for. */
const MAX_DEPENDENCIES = 100;

/** Names of pipelines and steps; whether there is one of that name is another question. */
export const name = storableString(1, 64);
const tag = storableString(1, 128);
/** Kept in an index, where an entry has a limit. */
export const idempotencyKey = storableString(1, 255);

const eta = z
  .union([z.string(), z.number()], 'expected ISO 8601 with an offset or Z, or Unix seconds')
  .transform((value, context): number => {
    const parsed = parseEta(value, Date.now());
    if (parsed.ok) return parsed.seconds;
    context.addIssue({ code: 'custom', message: parsed.message });
    return z.NEVER;
  })
  .describe('When to start: ISO 8601 with an offset or Z, or Unix seconds; at most ten years ahead.');

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** An id as jobs have it. */
export const jobId = z.string().toLowerCase().regex(ID, 'expected the id of a job');
const scheduleId = z.string().toLowerCase().regex(ID, 'expected the id of a schedule');

const countdown = z
  .number()
  .superRefine((seconds, context) => {
    const fault = countdownFault(seconds, Date.now());
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  })
  .describe('Seconds from now on, fractions allowed. Ignored when there is an eta.');

/** The body of `POST /v1/ingest`, and each entry of a batch. `null` means left out where the job may show it. */
export const submitRequest = z.strictObject({
  pipeline: name.default('repository'),
  source: storableString(1, 4_096).nullish().describe('A local folder.'),
  source_type: z.enum(['local_path', 'git_url']).nullish().describe('Guessed when left out.'),
  branch: storableString(1, 255).nullish(),
  input: jsonObject.optional().describe('Any JSON object; handed to the steps.'),
  steps: z.array(name).min(1).max(MAX_STEPS).optional().describe('Run only these and what they need.'),
  // First as a whole: a record would pass over a key called __proto__.
  options: jsonObject.pipe(z.record(name, jsonObject)).optional().describe("By step, over the pipeline's."),
  priority: z.enum(PRIORITIES).default('default'),
  eta: eta.nullish(),
  countdown: countdown.nullish(),
  depends_on: z.array(jobId).max(MAX_DEPENDENCIES).nullish().describe('Ids of jobs that have to be completed first.'),
  on_dependency_failure: z
    .enum(DEPENDENCY_FAILURES)
    .nullish()
    .describe('What becomes of it when one of them fails or is cancelled.'),
  tags: z.array(tag).max(MAX_TAGS).optional(),
  description: storableString(0, 2_000).nullish(),
  idempotency_key: idempotencyKey.nullish(),
});
export type SubmitRequest = z.output<typeof submitRequest>;

/** The body of `POST /v1/ingest/batch`. Each job is checked by itself, with `submitRequest`. */
export const batchRequest = z.strictObject({ jobs: z.array(z.unknown()).min(1).max(MAX_BATCH) });

/** A query parameter that may be given several times. */
const repeatable = <T extends string>(values: readonly T[]) => {
  const one = z.enum(values);
  return z.union([one.transform((value) => [value]), z.array(one).max(20)], `expected one of ${values.join(', ')}`);
};

/** A query parameter, or a field, that is a time. */
export const isoTime = z.string().transform((text, context): Date => {
  const parsed = parseIsoTime(text);
  if (parsed.ok) return new Date(parsed.seconds * 1_000);
  const hint = / \d\d(?::?\d\d)?$/.test(text) ? ' (a + in an address is a space: write %2B)' : '';
  context.addIssue({ code: 'custom', message: parsed.message + hint });
  return z.NEVER;
});

/** A query parameter that is a whole number. */
export const wholeNumber = (min: number, max: number) => {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .string(expected)
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
};

export const LIST_SORTS = ['-created_at', 'created_at', 'eta'] as const;
export type ListSort = (typeof LIST_SORTS)[number];

/** What the list of jobs can be asked for: their statuses, and `retrying`: with a step in back-off. */
export const LIST_STATUSES = [...JOB_STATUSES, 'retrying'] as const;
export type ListStatus = (typeof LIST_STATUSES)[number];

/** Which jobs. */
export const listFilter = z.strictObject({
  status: repeatable(LIST_STATUSES).optional(),
  pipeline: name.optional(),
  tag: tag.optional(),
  schedule_id: scheduleId.optional().describe('Jobs that this recurring schedule has made.'),
  q: storableString(1, 200).optional().describe('Looks in id, source, description and last error.'),
  created_after: isoTime.optional(),
  created_before: isoTime.optional(),
});
export type ListFilter = z.output<typeof listFilter>;

/** The parameters of `GET /v1/ingest`. */
export const listQuery = listFilter.extend({
  limit: wholeNumber(1, MAX_PAGE).default(DEFAULT_PAGE),
  cursor: z.string().min(1).max(1_000).optional(),
  sort: z.enum(LIST_SORTS).default('-created_at'),
});
export type ListQuery = z.output<typeof listQuery>;

/** The parameters of `GET /v1/ingest/{id}/logs`. */
export const logsQuery = z.strictObject({
  step: name.optional(),
  attempt: wholeNumber(1, 1_000_000).optional(),
});

/** The body of `POST /v1/ingest/{id}/retry`; none at all is the same as an empty one. */
export const retryRequest = z
  .strictObject({ from_step: name.nullish().describe('Begin again here, though it may be completed.') })
  .nullish()
  .transform((body) => ({ fromStep: body?.from_step ?? null }));

/** The body of `POST /v1/ingest/{id}/reschedule`: the eta wins where both are given. */
export const rescheduleRequest = z
  .strictObject({ eta: eta.nullish(), countdown: countdown.nullish() })
  .refine(({ eta: at, countdown: seconds }) => (at ?? seconds ?? null) !== null, {
    error: 'expected "eta" or "countdown", the new start; {"countdown": 0} starts it now',
  })
  .transform(({ eta: etaSeconds, countdown: seconds }) => ({
    etaSeconds: etaSeconds ?? null,
    countdown: seconds ?? 0,
  }));
export type RescheduleRequest = z.output<typeof rescheduleRequest>;

/** The body of calls that take none: left out, or an object without fields. */
export const emptyRequest = z.strictObject({}).nullish();
