import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { isQueueName, QUEUE_NAME_RULE } from '#shared/contracts/subjects';
import { DURATION_FORMS, formatDuration, MAX_DURATION_MS, parseDuration } from '#shared/domain/duration';
import { parseFailpoints } from '#shared/runtime/failpoints';

/** A field that reads a duration, in milliseconds, within the bounds. */
function duration(fallback: string, minMs: number, maxMs = MAX_DURATION_MS) {
  const expected = `expected a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)} (${DURATION_FORMS})`;
  return z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        const durationMs = parseDuration(text);
        if (durationMs >= minMs && durationMs <= maxMs) return durationMs;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    });
}

function whole(min: number, max: number) {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
}

const flagOr = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false'], 'expected true or false')
    .default(fallback)
    .transform((text) => text === 'true');
const flag = flagOr('false');

const listOf = (text: string, separator: string): string[] =>
  text
    .split(separator)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

const postgresUrl = z
  .string('expected the address of a Postgres database')
  .refine(
    (text) => /^postgres(ql)?:$/.test(protocolOf(text)),
    'expected a URL like postgres://USER:PASSWORD@HOST:5432/DATABASE',
  );

const natsUrl = z
  .string('expected the address of a nats-server')
  .refine(
    (text) => listOf(text, ',').every((url) => /^(nats|tls|ws|wss):$/.test(protocolOf(url))) && text.trim() !== '',
    'expected a URL like nats://HOST:4222, or several separated by commas',
  );

function protocolOf(text: string): string {
  return URL.canParse(text.trim()) ? new URL(text.trim()).protocol : '';
}

const hostName = z
  .string()
  .default('127.0.0.1')
  .refine(
    (text) => isIP(text) !== 0 || /^[a-z0-9]([a-z0-9.-]{0,252})$/i.test(text),
    'expected an address or a host name',
  );

const queues = z
  .string()
  .optional()
  .transform((text) => (text === undefined ? null : [...new Set(listOf(text, ','))]))
  .refine(
    (names) => names === null || (names.length > 0 && names.every(isQueueName)),
    `expected names of queues (${QUEUE_NAME_RULE}) separated by commas`,
  );

const origins = z
  .string()
  .default('')
  .transform((text) => listOf(text, ','))
  .refine(
    (entries) => entries.every((entry) => URL.canParse(entry) && new URL(entry).origin === entry.toLowerCase()),
    'expected origins like https://example.org, without a path, separated by commas',
  );

const hosts = z
  .string()
  .default('')
  .transform((text) => listOf(text, ','))
  .refine((entries) => entries.every((entry) => !/[\s/@]/.test(entry)), 'expected host names separated by commas');

const failpoints = z
  .string()
  .default('')
  .transform((text, context) => {
    try {
      return parseFailpoints(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Every variable that a service reads: how it is checked, what it becomes, and (its description) what it is for.
 * Those under SLUICE_INTERNAL_ are for tests: they shorten what is otherwise fixed.
 */
export const ENVIRONMENT = z.object({
  DATABASE_URL: postgresUrl.describe('the Postgres database that keeps the jobs'),
  NATS_URL: natsUrl.describe('the nats-server, with JetStream'),
  PORT: whole(0, 65_535).optional().describe('the port of the service; 0 takes a free one'),
  SLUICE_HOST: hostName.describe('the address that the service listens at'),
  SLUICE_QUEUES: queues.describe('the queues that a worker takes, separated by commas; all when left out'),
  SLUICE_CONCURRENCY: whole(1, 1_000).default(50).describe('slots of a worker: how many turns it runs at once'),
  SLUICE_ACK_WAIT: duration('30s', 500, 3_600_000).describe('how long a silent worker keeps a turn'),
  SLUICE_RETENTION: duration('30d', 1_000).describe('how long finished jobs are kept'),
  SLUICE_CONFIG: z
    .string()
    .default('pipeline_config.yml')
    .transform((path) => resolve(path))
    .describe('the file of the pipelines'),
  SLUICE_SOURCE_ROOTS: z
    .string()
    .default('.')
    .transform((text) => listOf(text, ':').map((path) => resolve(path)))
    .refine((paths) => paths.length > 0, 'expected folders separated by colons')
    .describe('folders under which local_path sources may lie, separated by colons; the working folder when left out'),
  SLUICE_ALLOW_PRIVATE_ADDRESSES: flag.describe('true lets URLs that a job supplies reach private addresses'),
  SLUICE_GRACE: duration('30s', 0, 3_600_000).describe('how long running steps may go on after a stop signal'),
  SLUICE_LOG_LEVEL: z
    .enum(LOG_LEVELS, `expected one of ${LOG_LEVELS.join(', ')}`)
    .default('info')
    .describe('the least important lines that are logged'),
  SLUICE_API_KEYS: z.string().optional().describe('NAME:SHA256-HEX of each API key, separated by commas'),
  SLUICE_API_KEYS_FILE: z.string().optional().describe('a file with one NAME:SHA256-HEX a line'),
  SLUICE_ALLOW_ANONYMOUS: flag.describe('true lets the gateway listen beyond loopback without keys'),
  SLUICE_ALLOWED_ORIGINS: origins.describe('foreign origins that browsers may call from, separated by commas'),
  SLUICE_ALLOWED_HOSTS: hosts.describe('names by which the gateway may be called without keys, besides localhost'),
  SLUICE_INTERNAL_STACK_FILE: z.string().optional().describe('where `npm start` says what it runs'),
  SLUICE_INTERNAL_FAILPOINTS: failpoints.describe('where the service is to die or stop, and guards to take away'),
  SLUICE_INTERNAL_LEASE: duration('10s', 100).describe('how long a worker may go without renewing its lease'),
  SLUICE_INTERNAL_HANDLERS: z.string().optional().describe('a CommonJS module whose `handlers` are used as well'),
  SLUICE_INTERNAL_STUCK_AFTER: duration('30s', 100).describe('how long a step may go on after it was told to stop'),
  SLUICE_INTERNAL_NO_HELP_WHEN_BLOCKED: flag.describe('true leaves a worker whose loop is blocked to itself'),
  SLUICE_INTERNAL_TELEMETRY: flagOr('true').describe(
    'false sends no telemetry: attempts are counted in Postgres alone',
  ),
  SLUICE_INTERNAL_PUBLISH_LIMIT: duration('5s', 10).describe('how long one publish may take'),
  SLUICE_INTERNAL_FLUSH_LIMIT: duration('2s', 10).describe('how long one batch of statements may take'),
  SLUICE_INTERNAL_SWEEP_LOOK: duration('5s', 10).describe('the pause between two looks of the sweep'),
  SLUICE_INTERNAL_SWEEP_MARGIN: duration('20s', 100).describe('how long the sweep leaves an opened step alone'),
  SLUICE_INTERNAL_ROLLUP_COMPARE: duration('15s', 0).describe('how long after a minute its figures are compared'),
});

/** Variables of the same prefix that other programs of the product read. */
export const ENVIRONMENT_OF_OTHERS = ['SLUICE_URL', 'SLUICE_API_KEY', 'SLUICE_CACHE_DIR'] as const;
