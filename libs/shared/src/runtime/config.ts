import type { z } from 'zod';
import { formatDuration } from '#shared/domain/duration';
import { ENVIRONMENT, ENVIRONMENT_OF_OTHERS, type LogLevel } from '#shared/runtime/environment';
import type { Failpoints } from '#shared/runtime/failpoints';

export type ServiceName = 'gateway' | 'scheduler' | 'step-worker' | 'metrics';

const DEFAULT_PORTS = { gateway: 3000, metrics: 3001, scheduler: 3002, 'step-worker': 3003 } as const;

/** What a service was told by its environment: checked, frozen, with every default filled in. */
export interface ServiceConfig {
  readonly service: ServiceName;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Queues that a worker takes; null = all. */
  readonly queues: readonly string[] | null;
  /** Slots of a worker: turns at once. */
  readonly concurrency: number;
  readonly ackWaitMs: number;
  readonly retentionMs: number;
  /** Absolute. */
  readonly pipelineConfigPath: string;
  /** Absolute; never empty. */
  readonly sourceRoots: readonly string[];
  readonly allowPrivateAddresses: boolean;
  readonly graceMs: number;
  readonly logLevel: LogLevel;
  /** `NAME:SHA256-HEX,…` as given; null = none. */
  readonly apiKeys: string | null;
  readonly apiKeysFile: string | null;
  readonly allowAnonymous: boolean;
  readonly allowedOrigins: readonly string[];
  readonly allowedHosts: readonly string[];
  /** Where `npm start` says what it runs; null for a service that was started alone. */
  readonly stackFile: string | null;
  /** Armed by tests alone. */
  readonly failpoints: Failpoints;
  /** A module with handlers beside those that ship; null in production. */
  readonly handlersModule: string | null;
  /** Fixed in production, shortened by tests. */
  readonly leaseMs: number;
  readonly stuckAfterMs: number;
  readonly helpsBlockedLoop: boolean;
  readonly sendsTelemetry: boolean;
  readonly publishLimitMs: number;
  readonly flushLimitMs: number;
  readonly sweepLookMs: number;
  readonly sweepMarginMs: number;
  readonly rollupCompareMs: number;
  /** Variables called SLUICE_… that nothing reads: most likely misspelt. */
  readonly unknownVariables: readonly string[];
}

/** The service cannot start as it was told to; the message names every variable that is wrong. Exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = 2;

  constructor(readonly faults: readonly string[]) {
    super(['The environment is not right:', ...faults.map((fault) => `  ${fault}`)].join('\n'));
  }
}

type Environment = z.output<typeof ENVIRONMENT>;

/**
 * The configuration of a service from the variables in its environment; one that is empty counts as left out.
 * @throws ConfigError naming each variable that is wrong, what was expected and what was found
 */
export function loadConfig(service: ServiceName, env: NodeJS.ProcessEnv = process.env): ServiceConfig {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = ENVIRONMENT.safeParse(given);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => describeFault(issue, given)));
  const faults = contradictions(parsed.data);
  if (faults.length > 0) throw new ConfigError(faults);
  return deepFreeze(configOf(service, parsed.data, unknownIn(given)));
}

function configOf(service: ServiceName, env: Environment, unknownVariables: string[]): ServiceConfig {
  return {
    service,
    databaseUrl: env.DATABASE_URL,
    natsUrl: env.NATS_URL,
    host: env.SLUICE_HOST,
    port: env.PORT ?? DEFAULT_PORTS[service],
    queues: env.SLUICE_QUEUES,
    concurrency: env.SLUICE_CONCURRENCY,
    ackWaitMs: env.SLUICE_ACK_WAIT,
    retentionMs: env.SLUICE_RETENTION,
    pipelineConfigPath: env.SLUICE_CONFIG,
    sourceRoots: env.SLUICE_SOURCE_ROOTS,
    allowPrivateAddresses: env.SLUICE_ALLOW_PRIVATE_ADDRESSES,
    graceMs: env.SLUICE_GRACE,
    logLevel: env.SLUICE_LOG_LEVEL,
    apiKeys: env.SLUICE_API_KEYS ?? null,
    apiKeysFile: env.SLUICE_API_KEYS_FILE ?? null,
    allowAnonymous: env.SLUICE_ALLOW_ANONYMOUS,
    allowedOrigins: env.SLUICE_ALLOWED_ORIGINS,
    allowedHosts: env.SLUICE_ALLOWED_HOSTS,
    stackFile: env.SLUICE_INTERNAL_STACK_FILE ?? null,
    failpoints: env.SLUICE_INTERNAL_FAILPOINTS,
    handlersModule: env.SLUICE_INTERNAL_HANDLERS ?? null,
    leaseMs: env.SLUICE_INTERNAL_LEASE,
    stuckAfterMs: env.SLUICE_INTERNAL_STUCK_AFTER,
    helpsBlockedLoop: !env.SLUICE_INTERNAL_NO_HELP_WHEN_BLOCKED,
    sendsTelemetry: env.SLUICE_INTERNAL_TELEMETRY,
    publishLimitMs: env.SLUICE_INTERNAL_PUBLISH_LIMIT,
    flushLimitMs: env.SLUICE_INTERNAL_FLUSH_LIMIT,
    sweepLookMs: env.SLUICE_INTERNAL_SWEEP_LOOK,
    sweepMarginMs: env.SLUICE_INTERNAL_SWEEP_MARGIN,
    rollupCompareMs: env.SLUICE_INTERNAL_ROLLUP_COMPARE,
    unknownVariables,
  };
}

/** The turn protocol rests on these two: a turn outlives its holder's lease, and the sweep outwaits both. */
function contradictions(env: Environment): string[] {
  const faults: string[] = [];
  if (env.SLUICE_ACK_WAIT <= env.SLUICE_INTERNAL_LEASE) {
    faults.push(
      `SLUICE_ACK_WAIT: expected more than a worker's lease of ${formatDuration(env.SLUICE_INTERNAL_LEASE)}, ` +
        `found ${formatDuration(env.SLUICE_ACK_WAIT)}`,
    );
  }
  const leastMarginMs = env.SLUICE_INTERNAL_LEASE + env.SLUICE_INTERNAL_PUBLISH_LIMIT + env.SLUICE_INTERNAL_FLUSH_LIMIT;
  if (env.SLUICE_INTERNAL_SWEEP_MARGIN <= leastMarginMs) {
    faults.push(
      `SLUICE_INTERNAL_SWEEP_MARGIN: expected more than lease, publish limit and flush limit together ` +
        `(${formatDuration(leastMarginMs)}), found ${formatDuration(env.SLUICE_INTERNAL_SWEEP_MARGIN)}`,
    );
  }
  return faults;
}

const HINTS: Readonly<Record<string, string>> = {
  DATABASE_URL: '`npm start` brings up a database of its own when it is left out',
  NATS_URL: '`npm start` brings up a nats-server of its own when it is left out',
};

/** Values that may hold a password are never repeated. */
const SECRET = new Set(['DATABASE_URL', 'NATS_URL', 'SLUICE_API_KEYS']);

function describeFault(issue: z.core.$ZodIssue, given: Readonly<Record<string, unknown>>): string {
  const name = String(issue.path[0]);
  const value = given[name];
  const found = value === undefined ? 'nothing' : SECRET.has(name) ? 'something else' : JSON.stringify(value);
  const hint = HINTS[name];
  return `${name}: ${issue.message}, found ${found}${hint === undefined ? '' : ` (${hint})`}`;
}

function unknownIn(given: Readonly<Record<string, unknown>>): string[] {
  const known = new Set<string>([...Object.keys(ENVIRONMENT.shape), ...ENVIRONMENT_OF_OTHERS]);
  const mayBeUnknown = /^SLUICE_(?!INTERNAL_|TEST_)/;
  return Object.keys(given).filter((name) => mayBeUnknown.test(name) && !known.has(name));
}

function deepFreeze<T extends object>(value: T): Readonly<T> {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) Object.freeze(part);
  return Object.freeze(value);
}
