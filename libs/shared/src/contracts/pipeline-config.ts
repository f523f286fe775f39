import { z } from 'zod';
import { DURATION_FORMS, parseDuration } from '#shared/domain/duration';
import { MAX_STEPS } from '#shared/domain/step-set';

/** Every check's message is what was expected; the reader of the file adds where, and what it found. */
const NAME_FORM = 'a name of letters, digits, _ and - that begins with a letter or digit (at most 64 characters)';

/** Names end up as keys of objects in many places, so the ones that every object has are not for use. */
const configName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, NAME_FORM)
  .refine((name) => !(name in Object.prototype), 'a name that JavaScript does not reserve');

const queueName = z
  .string()
  .regex(/^[a-z0-9_-]{1,64}$/, 'a queue name of lower-case letters, digits, _ and - (at most 64 characters)')
  .refine((name) => !(name in Object.prototype), 'a name that JavaScript does not reserve');

/** A timer of Node holds 24.8 days; a longer attempt would time out at once. */
const MAX_TIMEOUT_MS = 24 * 86_400_000;

const DURATION_FORM = `a duration (${DURATION_FORMS})`;

const duration = z
  .union([z.number(), z.string().regex(/^\d+(\.\d+)? ?(ms|s|m|h|d)?$/, DURATION_FORM)], { error: DURATION_FORM })
  .transform((value, context) => {
    try {
      return parseDuration(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue({ code: 'custom', message: DURATION_FORM });
      return z.NEVER;
    }
  });

const timeout = duration.refine((ms) => ms > 0 && ms <= MAX_TIMEOUT_MS, 'a duration above 0 and up to 24d');
const maxRetries = z.int().min(0).max(1_000).describe('Retries after the first attempt; 0 = never.');
const backOffSeconds = z
  .number()
  .min(0)
  .max(31_536_000)
  .describe('Shorthand for a fixed delay before each retry, in seconds. Instead of back_off.');
const concurrency = z.int().min(1).max(100_000).describe('Attempts of this step at once, cluster-wide.');

const backOff = z
  .strictObject({
    strategy: z.enum(['fixed', 'linear', 'exponential']).default('fixed'),
    initial: duration.optional().describe('The delay before the first retry; 10s when left out.'),
    factor: z.number().min(1).max(100).default(2).describe('exponential: each delay is this times the one before.'),
    max: duration.optional().describe('No delay is longer; 5m, or initial if that is more, when left out.'),
    jitter: z.number().min(0).max(1).default(0).describe('0.2 spreads each delay by ± 20 %.'),
  })
  .refine(({ initial, max }) => initial === undefined || max === undefined || initial <= max, {
    path: ['max'],
    error: 'a duration that is not shorter than initial',
  })
  .describe('How long to wait before a retry.');

const retry = z
  .strictObject({
    max_retries: maxRetries.optional(),
    back_off_seconds: backOffSeconds.optional(),
    back_off: backOff.optional(),
  })
  .describe('Defaults for every step.');

const resources = z
  .record(configName, z.strictObject({ max_tokens: z.int().min(1).max(1_000_000) }))
  .describe('Named pools of tokens, cluster-wide.');

export const configStep = z.strictObject({
  name: configName.describe('Unique in the pipeline.'),
  uses: configName.optional().describe('The handler; the name when left out.'),
  needs: z
    .array(configName)
    .optional()
    .describe('Steps that must be completed first; the step before in the list when left out; [] = starts at once.'),
  queue: queueName.default('default').describe('Which workers take it.'),
  max_retries: maxRetries.optional(),
  back_off_seconds: backOffSeconds.optional(),
  back_off: backOff.optional(),
  timeout: timeout.optional().describe('How long one attempt may take.'),
  concurrency: concurrency.optional(),
  resources: z
    .record(configName, z.int().min(1).max(1_000_000))
    .optional()
    .describe('Tokens that an attempt holds, by pool.'),
  isolation: z
    .enum(['inline', 'process'])
    .default('inline')
    .describe('process: an own child process, killable and measured by itself.'),
  options: z.record(z.string(), z.json()).default({}).describe("The handler's own."),
});
export type ConfigStep = z.output<typeof configStep>;

const configPipeline = z.strictObject({
  description: z.string().max(2_000).default(''),
  source: z.enum(['required', 'optional']).default('optional').describe('Must a job name a source?'),
  steps: z.array(configStep).min(1).max(MAX_STEPS),
});

/** The file with `pipelines:`. */
export const fullConfig = z.strictObject({
  retry: retry.optional(),
  resources: resources.optional(),
  pipelines: z.record(configName, configPipeline).refine((all) => Object.keys(all).length > 0, 'at least one pipeline'),
});
export type FullConfig = z.output<typeof fullConfig>;

/** Keys of a step in the short form that are not options. */
export const SHORT_STEP_KEYS = ['name', 'concurrency', 'max_retries', 'back_off_seconds'] as const;

const shortStep = z
  .object({
    name: configName.describe('Unique in the pipeline, and the name of the handler.'),
    concurrency: concurrency.optional(),
    max_retries: maxRetries.optional(),
    back_off_seconds: backOffSeconds.optional(),
  })
  .catchall(z.json())
  .describe("Every other key is one of the handler's options.");
export type ShortConfigStep = z.output<typeof shortStep>;

/** The file with one list, which makes the pipeline `default`. */
export const shortConfig = z.strictObject({
  retry: retry.optional(),
  resources: resources.optional(),
  steps: z.array(shortStep).min(1).max(MAX_STEPS),
});
export type ShortConfig = z.output<typeof shortConfig>;

export type ConfigRetry = z.output<typeof retry>;
export type ConfigBackOff = z.output<typeof backOff>;
