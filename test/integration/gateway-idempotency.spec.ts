import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayStage } from './gateway-stage';

let stage: GatewayStage;
/** Another gateway on the same servers. */
let other: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
  other = await GatewayStage.start({ database: stage.database, nats: stage.nats });
});

afterAll(async () => {
  await other.stop();
  await stage.stop();
});
beforeEach(() => stage.database.query('TRUNCATE jobs'));

describe('a key', () => {
  it('gives the first job back, whatever the order of the fields and wherever the key is', async () => {
    const first = await stage.submit({ pipeline: 'chain', input: { a: 1, b: { c: 2, d: 3 } }, idempotency_key: 'k' });
    const text = '{"input": {"b": {"d": 3, "c": 2}, "a": 1}, "pipeline": "chain"}';
    const again = await stage.post('/v1/ingest', text, { 'Idempotency-Key': 'k' });
    expect([first.status, again.status]).toEqual([202, 200]);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('location')).toBe(`/v1/ingest/${first.body.id}`);
    const both = await stage.submit(JSON.parse(text), { 'Idempotency-Key': 'k' });
    expect(both.status).toBe(200);
    expect(await stage.jobCount()).toBe(1);
  });

  it('is refused with another request, and the first job stays as it is', async () => {
    const first = await stage.submit({ pipeline: 'chain', input: { a: 1 }, idempotency_key: 'k' });
    for (const change of [{ input: { a: 2 } }, { priority: 'high' }, { pipeline: 'wide' }, { input: { a: '1' } }]) {
      const answer = await stage.submit({ pipeline: 'chain', input: { a: 1 }, idempotency_key: 'k', ...change });
      expect({ change, status: answer.status }).toEqual({ change, status: 409 });
    }
    expect((await stage.get(`/v1/ingest/${first.body.id}`)).body).toEqual(first.body);
    expect(await stage.jobCount()).toBe(1);
  });

  it('with a countdown means the same job each time', async () => {
    const body = { pipeline: 'chain', countdown: 600.5, idempotency_key: 'k' };
    const first = await stage.submit(body);
    const again = await stage.submit({ ...body, description: null });
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id, eta: first.body.eta } });
  });

  it('gives the first job back though its source has gone since', async () => {
    const body = { source: 'tree', idempotency_key: 'k' };
    const first = await stage.submit(body);
    await rename(join(stage.sources, 'tree'), join(stage.sources, 'moved'));
    const [again, another] = [await stage.submit(body), await stage.submit({ ...body, idempotency_key: 'k2' })];
    await rename(join(stage.sources, 'moved'), join(stage.sources, 'tree'));
    expect(again).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(another.status).toBe(422);
  });

  it('used by twenty at once, at two gateways, makes one job', async () => {
    const body = { pipeline: 'chain', input: { n: 1 }, idempotency_key: 'race' };
    const gateways = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? stage : other));
    const answers = await Promise.all(gateways.map((gateway) => gateway.submit(body)));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array<number>(19).fill(200), 202]);
    expect(await stage.jobCount()).toBe(1);
  });

  it('used by twenty different requests at once is given to one of them', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => stage.submit({ pipeline: 'chain', input: { n }, idempotency_key: 'race' })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([202, ...Array<number>(19).fill(409)]);
    expect(await stage.jobCount()).toBe(1);
  });

  it('of a refused request is free', async () => {
    expect((await stage.submit({ pipeline: 'nope', idempotency_key: 'k' })).status).toBe(422);
    expect((await stage.submit({ pipeline: 'chain', idempotency_key: 'k' })).status).toBe(202);
  });
});
