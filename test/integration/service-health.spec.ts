import { register } from 'prom-client';
import { MetricsModule } from '../../apps/metrics/src/metrics.module';
import { loadConfig } from '#shared/runtime/config';
import { Drain } from '#shared/runtime/drain';
import type { HealthAnswer } from '#shared/runtime/health/health.controller';
import { createLogger } from '#shared/runtime/logger';
import { startService, type RunningService } from '#shared/runtime/service';
import { until } from '../support/poll';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { startTestNats, type TestNats } from '../support/test-nats';

const log = createLogger({ service: 'test', level: 'silent' });

interface Started extends RunningService {
  readonly drain: Drain;
}

async function startMetrics(databaseUrl: string, natsUrl: string): Promise<Started> {
  const config = loadConfig('metrics', { DATABASE_URL: databaseUrl, NATS_URL: natsUrl, PORT: '0', SLUICE_GRACE: '1s' });
  const drain = new Drain({ log, graceMs: config.graceMs });
  const running = await startService(
    { service: 'metrics', module: (context) => MetricsModule.with(context) },
    { config, log, drain },
  );
  return { ...running, drain };
}

async function health(url: string, probe: 'live' | 'ready'): Promise<{ code: number; answer: HealthAnswer }> {
  const response = await fetch(`${url}/health/${probe}`);
  return { code: response.status, answer: (await response.json()) as HealthAnswer };
}

const UP = { state: 'up', required: true };

describe('a service between its servers', () => {
  let database: TestDatabase;
  let nats: TestNats;
  let service: Started;
  beforeAll(async () => {
    [database, nats] = await Promise.all([createTestDatabase(), startTestNats()]);
    service = await startMetrics(database.url, nats.url);
  });
  afterAll(async () => {
    await service.drain.run('test over');
    await nats.stop();
    await database.drop();
  });

  const becomesReady = async (): Promise<HealthAnswer> => {
    const { answer } = await until(
      async () => {
        const found = await health(service.url, 'ready');
        return found.code === 200 && found;
      },
      { deadlineMs: 60_000, what: 'the service to be ready' },
    );
    return answer;
  };

  it('is ready once both answer', async () => {
    await expect(becomesReady()).resolves.toEqual({
      status: 'ok',
      parts: { postgres: UP, nats: UP, telemetry: UP, loops: UP },
    });
  });

  it('is live and not ready without NATS, and ready again with it', async () => {
    await becomesReady();
    await nats.kill();
    const { answer } = await until(async () => {
      const found = await health(service.url, 'ready');
      return found.code === 503 && found.answer.parts.nats?.state === 'down' && found;
    });
    expect(answer.status).toBe('down');
    expect(answer.parts.postgres).toEqual({ state: 'up', required: true });
    expect(answer.parts.nats).toMatchObject({ state: 'down', required: true, reason: 'not connected' });
    await expect(health(service.url, 'live')).resolves.toEqual({ code: 200, answer: { status: 'ok', parts: {} } });
    await nats.start();
    await becomesReady();
  });

  it('offers what Prometheus asks for', async () => {
    const response = await fetch(`${service.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(register.contentType.split(';')[0]);
    expect(await response.text()).toMatch(/^nodejs_eventloop_lag_seconds \d/m);
  });

  it('knows nothing else', async () => {
    expect((await fetch(`${service.url}/`)).status).toBe(404);
  });
});

describe('a service without its servers', () => {
  it('starts, is live, says of each what is wrong without naming a place, and ends', async () => {
    const nowhere = 'postgres://somebody:hunter2@127.0.0.1:1/nothing';
    const service = await startMetrics(nowhere, 'nats://127.0.0.1:1');
    try {
      expect((await health(service.url, 'live')).code).toBe(200);
      await expect(health(service.url, 'ready')).resolves.toEqual({
        code: 503,
        answer: {
          status: 'down',
          parts: {
            postgres: { state: 'down', required: true, reason: 'not connected' },
            nats: { state: 'down', required: true, reason: 'not connected' },
            telemetry: { state: 'down', required: true, reason: 'nothing can be pulled, or stored' },
            loops: { state: 'down', required: true, reason: 'no round has succeeded lately' },
          },
        },
      });
    } finally {
      await expect(service.drain.run('test over')).resolves.toBe(true);
    }
    await expect(fetch(`${service.url}/health/live`)).rejects.toThrow();
  });
});
