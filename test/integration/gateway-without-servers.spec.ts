import { migrate } from '#shared/store/migrate';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { startTestPostgres, type TestPostgres } from '../support/test-postgres';
import { GatewayStage } from './gateway-stage';

/** So long that whatever waited for a publish would not come to its end. */
const NO_PUBLISH_LIMIT = { SLUICE_INTERNAL_PUBLISH_LIMIT: '10m', SLUICE_INTERNAL_SWEEP_MARGIN: '15m' };

let postgres: TestPostgres;
let nats: TestNats;
let stage: GatewayStage;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startTestPostgres(), startTestNats()]);
  await migrate(postgres.url);
});

afterAll(async () => {
  await nats.stop();
  await postgres.drop();
});

beforeEach(async () => {
  stage = await GatewayStage.start({ database: postgres, nats, env: NO_PUBLISH_LIMIT });
});
afterEach(async () => {
  await stage.stop();
  expect(stage.lines.filter((line) => line.includes('a call failed'))).toEqual([]);
});

describe('without Postgres', () => {
  it('it says 503 and when to come again, and nothing of where it looked; then it is well by itself', async () => {
    const first = await stage.submit({ pipeline: 'chain', idempotency_key: 'before' });
    await postgres.stopImmediately();
    await stage.untilHealthy('down');
    const calls = [
      await stage.submit({ pipeline: 'chain' }),
      await stage.post('/v1/ingest/batch', { jobs: [{ pipeline: 'chain' }, { pipeline: 'wide' }] }),
      await stage.submit({ pipeline: 'wide', steps: ['left'] }),
      await stage.get(`/v1/ingest/${first.body.id}`),
      await stage.get('/v1/ingest'),
      await stage.get('/v1/workers'),
      await stage.post(`/v1/ingest/${first.body.id}/cancel`, {}),
      await stage.post(`/v1/ingest/${first.body.id}/retry`, {}),
      await stage.get('/v1/dead_letters'),
      await stage.get('/v1/dead_letters?group_by=fingerprint'),
      await stage.post('/v1/dead_letters/redrive', { filter: {} }),
    ];
    for (const { status, headers, body } of calls) {
      expect(status).toBe(503);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
      expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|ECONN|localhost|pg|\d{5}/);
    }
    // what needs no database still answers
    expect((await stage.get('/v1/pipelines')).status).toBe(200);
    expect((await stage.submit({ pipeline: 'nope' })).status).toBe(422);
    expect((await stage.get('/health/live')).status).toBe(200);
    await postgres.start();
    await stage.untilHealthy('ok');
    expect((await stage.submit({ pipeline: 'chain', idempotency_key: 'before' })).body.id).toBe(first.body.id);
    expect((await stage.submit({ pipeline: 'chain' })).status).toBe(202);
    expect((await stage.submit({ pipeline: 'wide', steps: ['left'] })).status).toBe(202);
    expect((await stage.post(`/v1/ingest/${first.body.id}/retry`, {})).status).toBe(409);
    expect((await stage.post(`/v1/ingest/${first.body.id}/cancel`, {})).status).toBe(202);
    expect((await stage.get('/v1/dead_letters')).status).toBe(200);
  });

  it('a batch has every job that it answered for, however it was cut', async () => {
    const answered: string[] = [];
    let going = true;
    const submitting = (async (): Promise<void> => {
      while (going) {
        const jobs = Array.from({ length: 200 }, (_, n) => ({ pipeline: 'chain', input: { n } }));
        const { body } = await stage.post<{ items?: { id?: string }[] }>('/v1/ingest/batch', { jobs });
        answered.push(...(body.items ?? []).flatMap((item) => item.id ?? []));
      }
    })();
    await until(() => answered.length >= 400, { what: 'the first jobs' });
    await postgres.stopImmediately();
    await stage.untilHealthy('down');
    await postgres.start();
    await stage.untilHealthy('ok');
    const before = answered.length;
    await until(() => answered.length > before, { what: 'jobs after the restart' });
    going = false;
    await submitting;
    const missing = await postgres.query(
      'SELECT id FROM unnest($1::uuid[]) AS a (id) WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = a.id)',
      [answered],
    );
    expect(missing).toEqual([]);
    expect(new Set(answered).size).toBe(answered.length);
  });

  it('it starts all the same, and answers once Postgres is there', async () => {
    await postgres.stopImmediately();
    const early = await GatewayStage.start({ database: postgres, nats, ready: false });
    expect((await early.submit({ pipeline: 'chain' })).status).toBe(503);
    expect((await early.get('/health/live')).status).toBe(200);
    await postgres.start();
    await early.untilHealthy('ok');
    expect((await early.submit({ pipeline: 'chain' })).status).toBe(202);
    expect(await early.stop()).toBe(true);
  });
});

describe('without NATS', () => {
  it('it goes on accepting, quickly, and says that it is degraded', async () => {
    const submitFifty = async (): Promise<number> => {
      const startedAtMs = performance.now();
      const answers = await Promise.all(Array.from({ length: 50 }, () => stage.submit({ pipeline: 'chain' })));
      expect(answers.map((answer) => answer.status)).toEqual(Array(50).fill(202));
      return performance.now() - startedAtMs;
    };
    const withNatsMs = await submitFifty();
    await nats.kill();
    await stage.untilHealthy('degraded');
    expect((await stage.get('/health/ready')).status).toBe(200);
    // On a busy machine all of it is slow.
    expect(await submitFifty()).toBeLessThan(3_000 + 5 * withNatsMs);
    const held = await stage.submit({ pipeline: 'chain', countdown: 60 });
    expect(held.body.status).toBe('scheduled');
    await nats.start();
    await stage.untilHealthy('ok');
    expect((await stage.submit({ pipeline: 'chain' })).status).toBe(202);
    expect(stage.lines.filter((line) => line.includes('turns were not taken')).length).toBeLessThan(5);
  });
});
