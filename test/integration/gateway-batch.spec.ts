import { jobView, type JobView, type Problem, problem } from '#shared/contracts/job';
import { type Answer, GatewayStage } from './gateway-stage';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
});

afterAll(() => stage.stop());
beforeEach(() => stage.database.query('TRUNCATE jobs'));

type Item = JobView | Problem;
const submitAll = (jobs: unknown, headers = {}): Promise<Answer<{ items: Item[] }>> =>
  stage.post<{ items: Item[] }>('/v1/ingest/batch', { jobs }, headers);
const isJob = (item: Item | undefined): item is JobView => item !== undefined && 'id' in item;
const inShort = (item: Item): string => (isJob(item) ? item.status : `${item.status} ${item.errors?.[0]?.path ?? ''}`);

describe('a batch', () => {
  it('has each job accepted or refused in its place', async () => {
    const { status, body } = await submitAll([
      { pipeline: 'chain', input: { n: 0 } },
      { pipeline: 'nope' },
      { pipeline: 'chain', countdown: 60 },
      { source: '/etc' },
      5,
      null,
      { source: 'tree' },
      { pipeline: 'wide', steps: ['left'] },
      { pipeline: 'chain', options: { a: { duration_ms: 'x' } } },
    ]);
    expect(status).toBe(202);
    expect(body.items.map(inShort)).toEqual([
      ...['pending', '422 pipeline', 'scheduled', '422 source', '422 ', '422 ', 'pending', 'pending'],
      '422 options.a.duration_ms',
    ]);
    for (const item of body.items) {
      if (!isJob(item)) expect(problem.strict().parse(item)).toEqual(item);
      else expect((await stage.get(`/v1/ingest/${item.id}`)).body).toEqual(jobView.strict().parse(item));
    }
    expect(await stage.jobCount()).toBe(4);
  });

  it('of 1,000 is stored in order', async () => {
    const { body } = await submitAll(Array.from({ length: 1_000 }, (_, n) => ({ pipeline: 'chain', input: { n } })));
    expect(body.items.map((item) => (isJob(item) ? item.input.n : item.status))).toEqual([...Array(1_000).keys()]);
    const ids = body.items.map((item) => (isJob(item) ? item.id : ''));
    expect([...ids].sort()).toEqual(ids);
    expect(await stage.jobCount()).toBe(1_000);
  });

  it.each<[string, unknown, number]>([
    ['empty', { jobs: [] }, 422],
    ['of 1,001', { jobs: Array(1_001).fill({ pipeline: 'chain' }) }, 422],
    ['that is a list', [{ pipeline: 'chain' }], 422],
    ['with more beside', { jobs: [{ pipeline: 'chain' }], dry_run: true }, 422],
    ['without jobs', {}, 422],
    ['that is no JSON', '{"jobs": [', 400],
  ])('%s is refused', async (_, body, status) => {
    const answer = await stage.post('/v1/ingest/batch', body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await stage.jobCount()).toBe(0);
  });

  it('with a key in the header is refused: whose is it?', async () => {
    const { status, body } = await submitAll([{ pipeline: 'chain' }], { 'Idempotency-Key': 'k' });
    expect(status).toBe(422);
    expect(body).toMatchObject({ errors: [{ path: 'Idempotency-Key' }] });
  });

  it('refuses a key that comes again, and gives back jobs that were stored before', async () => {
    const first = await stage.submit({ pipeline: 'chain', idempotency_key: 'old' });
    const { body } = await submitAll([
      { pipeline: 'chain', idempotency_key: 'new' },
      { pipeline: 'chain', idempotency_key: 'new' },
      { idempotency_key: 'old', pipeline: 'chain' },
      { pipeline: 'wide', idempotency_key: 'old2' },
      { pipeline: 'chain', idempotency_key: 'old', description: 'another' },
    ]);
    expect(body.items.map(inShort)).toEqual(['pending', '409 ', 'pending', 'pending', '409 ']);
    expect(body.items[2]).toEqual(first.body);
    const taken = await submitAll([{ pipeline: 'wide', idempotency_key: 'old' }]);
    expect(taken.body.items.map(inShort)).toEqual(['409 ']);
    expect(await stage.jobCount()).toBe(3);
  });
});
