import { z } from 'zod';
import { DEFAULT_PAGE, isoTime, jobId, MAX_PAGE, name, wholeNumber } from '#shared/contracts/ingest-request';

export const ERROR_KINDS = ['transient', 'permanent', 'timeout', 'crashed', 'cancelled'] as const;

const time = z.string().describe('ISO 8601, UTC, milliseconds');
const jsonObject = z.record(z.string(), z.json());
const error = z.object({ message: z.string(), kind: z.enum(ERROR_KINDS), code: z.string().nullable() });

export const deadLetterView = z.object({
  id: z.string(),
  job_id: z.string(),
  pipeline: z.string(),
  step: z.string(),
  error,
  fingerprint: z.string().describe('the same for errors of a step that differ only in what differs each time'),
  attempts: z.number().int(),
  payload: z
    .object({
      source: z.string().nullable(),
      source_type: z.enum(['local_path', 'git_url']).nullable(),
      branch: z.string().nullable(),
      commit: z.string().nullable(),
      input: jsonObject,
      options: jsonObject.describe(
        "the step's options with the job's over them; secrets are named or hidden, not shown",
      ),
    })
    .describe('what the step was to work on'),
  created_at: time,
});
/** A step that has failed for good, as REST and CLI show it. */
export type DeadLetterView = z.infer<typeof deadLetterView>;

export const deadLetterPage = z.object({
  items: z.array(deadLetterView),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
});
export type DeadLetterPage = z.infer<typeof deadLetterPage>;

export const deadLetterGroup = z.object({
  fingerprint: z.string(),
  count: z.number().int(),
  pipeline: z.string(),
  step: z.string(),
  error: error.describe('of the newest'),
  first_at: time,
  last_at: time,
});
/** Dead letters with one fingerprint. */
export type DeadLetterGroup = z.infer<typeof deadLetterGroup>;

export const deadLetterGroups = z.object({
  items: z.array(deadLetterGroup).describe('the most frequent first'),
  has_more: z.boolean().describe('there are more than the limit'),
});
export type DeadLetterGroups = z.infer<typeof deadLetterGroups>;

const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, 'expected 16 hexadecimal digits, as a dead letter shows them');
/** Which dead letters. */
export const deadLetterFilter = z.strictObject({
  pipeline: name.optional(),
  step: name.optional(),
  kind: z.enum(ERROR_KINDS).optional(),
  fingerprint: fingerprint.optional(),
  job_id: jobId.optional(),
  created_after: isoTime.optional(),
  created_before: isoTime.optional(),
});
export type DeadLetterFilter = z.output<typeof deadLetterFilter>;

/** The parameters of `GET /v1/dead_letters`. */
export const deadLetterQuery = deadLetterFilter
  .extend({
    limit: wholeNumber(1, MAX_PAGE).default(DEFAULT_PAGE),
    cursor: z.string().min(1).max(1_000).optional(),
    group_by: z.literal('fingerprint').optional(),
  })
  .refine(({ cursor, group_by }) => cursor === undefined || group_by === undefined, {
    path: ['cursor'],
    error: 'does not go with group_by: groups come in one page',
  });
export type DeadLetterQuery = z.output<typeof deadLetterQuery>;

/** The body of `POST /v1/dead_letters/redrive`. */
export const redriveRequest = z
  .strictObject({
    fingerprint: fingerprint.optional(),
    filter: deadLetterFilter.optional(),
    dry_run: z.boolean().default(false),
  })
  .refine((request) => (request.fingerprint === undefined) !== (request.filter === undefined), {
    error: 'expected either "fingerprint" or "filter"; an empty filter means all',
  })
  .transform(({ fingerprint: only, filter, dry_run: dryRun }) => ({
    filter: filter ?? { fingerprint: only },
    dryRun,
  }));
export type RedriveRequest = z.output<typeof redriveRequest>;

export const redriveResult = z.object({
  matched: z.number().int().describe('dead letters that there were'),
  done: z.number().int().describe('of these, whose jobs go on now'),
  skipped: z.number().int().describe('of these, whose jobs still run'),
});
/** What became of dead letters that were to be redriven. `matched` is more than the other two when time was short. */
export type RedriveResult = z.infer<typeof redriveResult>;

/** Payloads above this many bytes of JSON are not mirrored. */
export const MAX_MIRRORED_BYTES = 64 * 1024;

/** What `sluice.dead.<pipeline>.<step>` carries. */
export interface DeadLetterMessage extends Omit<DeadLetterView, 'payload'> {
  readonly run: number;
  /** Left out when it is too large. */
  readonly payload?: DeadLetterView['payload'];
}
