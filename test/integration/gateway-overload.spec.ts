import { until } from '../support/poll';
import { type Answer, GatewayStage } from './gateway-stage';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
  await stage.submit({ pipeline: 'chain' });
});

afterAll(() => stage.stop());

const batch = { jobs: Array.from({ length: 1_000 }, (_, n) => ({ pipeline: 'chain', input: { n } })) };

describe('more than the database takes', () => {
  it('is turned away at once, and all that was accepted is stored', async () => {
    await stage.database.query('BEGIN');
    await stage.database.query('LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE');
    const answered: Answer<{ items?: { id?: string }[] }>[] = [];
    const calls = Array.from({ length: 25 }, async () => {
      answered.push(await stage.post<{ items?: { id?: string }[] }>('/v1/ingest/batch', batch));
    });
    // Below the 15 s after which the gateway gives up waiting for any commit.
    await until(() => answered.length >= 2, { what: 'the surplus to be turned away', deadlineMs: 14_000 });
    expect(answered.map((answer) => answer.status)).toEqual(answered.map(() => 503));
    for (const { headers } of answered) expect(headers.get('retry-after')).toBe('1');
    // what does not need the table is not held up
    expect((await stage.get('/health/live')).status).toBe(200);
    expect((await stage.get('/v1/pipelines')).status).toBe(200);
    await stage.database.query('COMMIT');
    await Promise.all(calls);
    const items = answered.filter((answer) => answer.status === 202).flatMap((answer) => answer.body.items ?? []);
    const accepted = items.flatMap((item) => item.id ?? []);
    expect(accepted.length).toBeGreaterThanOrEqual(20_000);
    expect(await stage.jobCount()).toBe(accepted.length + 1);
  }, 60_000);
});
