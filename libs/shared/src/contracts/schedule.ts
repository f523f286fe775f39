import { z } from 'zod';
import {
  DEFAULT_PAGE,
  MAX_PAGE,
  type SubmitRequest,
  submitRequest,
  wholeNumber,
} from '#shared/contracts/ingest-request';
import { storableString } from '#shared/contracts/json-input';
import { CATCH_UPS } from '#shared/domain/schedule/catch-up';
import { MAX_CRON_LENGTH, parseCron } from '#shared/domain/schedule/cron';
import { OVERLAPS } from '#shared/domain/schedule/overlap';
import { timeZone } from '#shared/domain/schedule/time-zone';
import { JOB_STATUSES } from '#shared/domain/status';

/** Next runs, and last jobs, that an answer shows. */
export const SHOWN_RUNS = 5;

const cron = z
  .string()
  .superRefine((text, context) => {
    const parsed = parseCron(text);
    if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.message });
  })
  .transform((text) => text.trim().replace(/\s+/g, ' '))
  .describe(`Five fields, or six with the second first; at most ${MAX_CRON_LENGTH} characters.`);

const timezone = z
  .string()
  .superRefine((name, context) => {
    if (timeZone(name) !== null) return;
    const found = JSON.stringify(name.slice(0, 40));
    const message = `expected a name of the IANA time zone database, like Europe/Berlin or UTC, found ${found}`;
    context.addIssue({ code: 'custom', message });
  })
  .describe('A name of the IANA time zone database; its daylight saving counts.');

/** What a job of a schedule may not say. `null` means left out. */
const refused = (reason: string) =>
  z
    .unknown()
    .refine((value) => value === undefined || value === null, `is not for the job of a schedule: ${reason}`)
    .optional();

/** The job of a schedule: the body of `POST /v1/ingest` without what says when it starts. */
export const scheduleJob = submitRequest
  .extend({
    eta: refused('its cron says when it starts'),
    countdown: refused('its cron says when it starts'),
    depends_on: refused('it starts when it is due; with "overlap": "queue" after the job before it'),
    on_dependency_failure: refused('it depends on no other job'),
    idempotency_key: refused('the second job would be taken for the first'),
  })
  .transform((given): ScheduleJob => {
    const { eta: _1, countdown: _2, depends_on: _3, on_dependency_failure: _4, idempotency_key: _5, ...job } = given;
    return job;
  })
  .describe('As it would be submitted, without the fields that say when.');
export type ScheduleJob = Omit<
  SubmitRequest,
  'eta' | 'countdown' | 'depends_on' | 'on_dependency_failure' | 'idempotency_key'
>;

const overlap = z
  .enum(OVERLAPS)
  .describe('While a job of the schedule has not ended: skip the run, queue it after that job, or allow both.');
const catchUp = z
  .enum(CATCH_UPS)
  .describe('What was due while nobody was there: none of it, the last run, or all (the last hundred).');
const description = storableString(0, 2_000);

/** The body of `POST /v1/schedules`. */
export const scheduleRequest = z.strictObject({
  cron,
  timezone: timezone.default('UTC'),
  job: scheduleJob,
  enabled: z.boolean().default(true),
  overlap: overlap.default('skip'),
  catch_up: catchUp.default('last'),
  description: description.nullish(),
});
export type ScheduleRequest = z.output<typeof scheduleRequest>;

/** The body of `PATCH /v1/schedules/{id}`: what is left out stays. */
export const schedulePatch = z.strictObject({
  cron: cron.optional(),
  timezone: timezone.optional(),
  job: scheduleJob.optional(),
  enabled: z.boolean().optional(),
  overlap: overlap.optional(),
  catch_up: catchUp.optional(),
  description: description.nullish(),
});
export type SchedulePatch = z.output<typeof schedulePatch>;

/** The parameters of `GET /v1/schedules`. */
export const scheduleQuery = z.strictObject({
  enabled: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: wholeNumber(1, MAX_PAGE).default(DEFAULT_PAGE),
  cursor: z.string().min(1).max(1_000).optional(),
});
export type ScheduleQuery = z.output<typeof scheduleQuery>;

const time = z.string().describe('ISO 8601, UTC, milliseconds');

export const scheduleView = z.object({
  id: z.string(),
  cron: z.string(),
  cron_text: z.string().describe('the cron in plain English'),
  timezone: z.string(),
  job: z.record(z.string(), z.json()),
  enabled: z.boolean(),
  overlap: z.enum(OVERLAPS),
  catch_up: z.enum(CATCH_UPS),
  description: z.string().nullable(),
  next_runs: z.array(time).describe('the next five; none while it is disabled'),
  last_jobs: z
    .array(
      z.object({
        id: z.string(),
        status: z.enum(JOB_STATUSES),
        due_at: time.nullable().describe('null: it was run by hand'),
        created_at: time,
      }),
    )
    .describe('the newest five'),
  skipped_count: z.number().int().describe('due runs that were skipped because of "overlap"'),
  last_skipped_at: time.nullable().describe('the due time of the last of them'),
  missed_count: z.number().int().describe('due times that "catch_up" has left out, as far as they were counted'),
  last_error: z
    .object({ message: z.string(), due_at: time, at: time })
    .nullable()
    .describe('why the last run that could not be made was not; stays after later runs'),
  created_at: time,
  updated_at: time,
});
/** A schedule as REST and CLI show it. */
export type ScheduleView = z.infer<typeof scheduleView>;

export const schedulePage = z.object({
  items: z.array(scheduleView),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
});
export type SchedulePage = z.infer<typeof schedulePage>;
