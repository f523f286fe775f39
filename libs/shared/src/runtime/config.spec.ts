import { resolve } from 'node:path';
import { ConfigError, loadConfig, type ServiceName } from '#shared/runtime/config';

const servers = { DATABASE_URL: 'postgres://sluice:hunter2@localhost:5432/sluice', NATS_URL: 'nats://localhost:4222' };

function faultsOf(env: Record<string, string>): string {
  try {
    loadConfig('gateway', env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error('the environment was accepted');
}

describe('loadConfig', () => {
  it('fills in every default', () => {
    expect(loadConfig('step-worker', servers)).toEqual({
      service: 'step-worker',
      databaseUrl: servers.DATABASE_URL,
      natsUrl: servers.NATS_URL,
      host: '127.0.0.1',
      port: 3003,
      queues: null,
      concurrency: 50,
      ackWaitMs: 30_000,
      retentionMs: 2_592_000_000,
      pipelineConfigPath: resolve('pipeline_config.yml'),
      sourceRoots: [process.cwd()],
      allowPrivateAddresses: false,
      graceMs: 30_000,
      logLevel: 'info',
      apiKeys: null,
      apiKeysFile: null,
      allowAnonymous: false,
      failpoints: { points: new Map(), guardsOff: new Set(), clockShiftMs: 0 },
      allowedOrigins: [],
      allowedHosts: [],
      stackFile: null,
      handlersModule: null,
      leaseMs: 10_000,
      stuckAfterMs: 30_000,
      helpsBlockedLoop: true,
      publishLimitMs: 5_000,
      flushLimitMs: 2_000,
      sweepLookMs: 5_000,
      sweepMarginMs: 20_000,
      rollupCompareMs: 15_000,
      sendsTelemetry: true,
      unknownVariables: [],
    });
  });

  it.each<[ServiceName, number]>([
    ['gateway', 3000],
    ['metrics', 3001],
    ['scheduler', 3002],
    ['step-worker', 3003],
  ])('gives %s port %i', (service, port) => expect(loadConfig(service, servers).port).toBe(port));

  it('reads what is given', () => {
    const config = loadConfig('gateway', {
      ...servers,
      NATS_URL: 'nats://one:4222, tls://two:4222',
      PORT: '0',
      SLUICE_HOST: '0.0.0.0',
      SLUICE_QUEUES: 'default, heavy,default',
      SLUICE_CONCURRENCY: '7',
      SLUICE_ACK_WAIT: '2m',
      SLUICE_RETENTION: '12h',
      SLUICE_CONFIG: '/etc/sluice.yml',
      SLUICE_SOURCE_ROOTS: '/srv/a:relative:',
      SLUICE_ALLOW_PRIVATE_ADDRESSES: 'true',
      SLUICE_GRACE: '500ms',
      SLUICE_LOG_LEVEL: 'debug',
      SLUICE_ALLOWED_ORIGINS: 'https://example.org,http://localhost:8080',
      SLUICE_ALLOWED_HOSTS: 'sluice.example.org',
      SLUICE_CONCURENCY: '9',
      SLUICE_URL: 'http://localhost:3000',
      SLUICE_API_KEY: 'x',
    });
    expect(config).toMatchObject({
      port: 0,
      host: '0.0.0.0',
      queues: ['default', 'heavy'],
      concurrency: 7,
      ackWaitMs: 120_000,
      retentionMs: 43_200_000,
      pipelineConfigPath: '/etc/sluice.yml',
      sourceRoots: ['/srv/a', resolve('relative')],
      allowPrivateAddresses: true,
      graceMs: 500,
      logLevel: 'debug',
      allowedOrigins: ['https://example.org', 'http://localhost:8080'],
      allowedHosts: ['sluice.example.org'],
      unknownVariables: ['SLUICE_CONCURENCY'],
    });
  });

  it('takes an empty variable for one that is left out', () => {
    expect(loadConfig('gateway', { ...servers, PORT: '', SLUICE_QUEUES: '', SLUICE_API_KEYS: '' })).toMatchObject({
      port: 3000,
      queues: null,
      apiKeys: null,
    });
  });

  it('cannot be changed afterwards', () => {
    const config = loadConfig('gateway', servers);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.sourceRoots)).toBe(true);
  });

  it.each([
    ['PORT', '65536', 'expected a whole number from 0 to 65535'],
    ['PORT', '-1', 'expected a whole number from 0 to 65535'],
    ['PORT', '3000x', 'expected a whole number from 0 to 65535'],
    ['SLUICE_CONCURRENCY', '0', 'expected a whole number from 1 to 1000'],
    ['SLUICE_CONCURRENCY', '1001', 'expected a whole number from 1 to 1000'],
    ['SLUICE_HOST', 'no host', 'expected an address or a host name'],
    ['SLUICE_QUEUES', 'a.b', 'expected names of queues'],
    ['SLUICE_QUEUES', ',', 'expected names of queues'],
    ['SLUICE_GRACE', '5 minutes', 'expected a duration from 0s to 1h (500ms, 10s, 5m, 2h, 30d or a number of seconds)'],
    ['SLUICE_RETENTION', '0', 'expected a duration from 1s'],
    ['SLUICE_ACK_WAIT', '2h', 'expected a duration from 500ms to 1h'],
    ['SLUICE_ACK_WAIT', '10s', "expected more than a worker's lease of 10s"],
    ['SLUICE_INTERNAL_SWEEP_MARGIN', '17s', 'expected more than lease, publish limit and flush limit together (17s)'],
    ['SLUICE_INTERNAL_FAILPOINTS', 'worker.nowhere=kill', '"worker.nowhere=kill" is neither POINT=kill@N'],
    ['SLUICE_ALLOW_ANONYMOUS', 'yes', 'expected true or false'],
    ['SLUICE_LOG_LEVEL', 'loud', 'expected one of trace, debug'],
    ['SLUICE_SOURCE_ROOTS', ':', 'expected folders separated by colons'],
    ['SLUICE_ALLOWED_ORIGINS', 'https://example.org/path', 'expected origins like'],
    ['SLUICE_ALLOWED_HOSTS', 'http://example.org', 'expected host names'],
  ])('refuses %s=%s by name, with what it expected and found', (name, value, expected) => {
    const message = faultsOf({ ...servers, [name]: value });
    expect(message).toContain(`${name}: ${expected}`);
    expect(message).toContain(', found ');
  });

  it('says of every missing server what to do', () => {
    const message = faultsOf({});
    expect(message).toMatch(/DATABASE_URL: expected the address of a Postgres database, found nothing \(`npm start`/);
    expect(message).toMatch(/NATS_URL: expected the address of a nats-server, found nothing \(`npm start`/);
  });

  it('never repeats a value that may hold a password', () => {
    const message = faultsOf({ DATABASE_URL: 'mysql://root:hunter2@db/x', NATS_URL: 'hunter2' });
    expect(message).toContain('DATABASE_URL: expected a URL like postgres://');
    expect(message).toContain('NATS_URL: expected a URL like nats://');
    expect(message).not.toContain('hunter2');
  });
});
