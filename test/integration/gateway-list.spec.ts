import { type JobPage, jobPage } from '#shared/contracts/job';
import { GatewayStage } from './gateway-stage';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
});

afterAll(() => stage.stop());
beforeEach(() => stage.database.query('TRUNCATE jobs'));

const submitMany = async (count: number, more: object = {}): Promise<string[]> => {
  const jobs = Array.from({ length: count }, (_, n) => ({ pipeline: 'chain', input: { n }, ...more }));
  const { body } = await stage.post<{ items: { id: string }[] }>('/v1/ingest/batch', { jobs });
  return body.items.map((item) => item.id);
};

async function page(query: string): Promise<JobPage> {
  const { status, body } = await stage.get(`/v1/ingest?${query}`);
  expect({ status, body }).toMatchObject({ status: 200 });
  return jobPage.strict().parse(body);
}

describe('the list of jobs', () => {
  it('pages through 1,000 while others come in: none twice, none lost', async () => {
    const ids = await submitMany(1_000);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? 'limit=77' : `limit=77&cursor=${cursor}`;
      const read: JobPage = await page(query);
      seen.push(...read.items.map((job) => job.id));
      expect(read.has_more).toBe(read.next_cursor !== null);
      cursor = read.next_cursor;
      await submitMany(3, { tags: ['late'] });
    } while (cursor !== null);
    expect([...seen].sort()).toEqual([...ids].sort());
  });

  it('shows 50 unless asked otherwise, and filters', async () => {
    await submitMany(60, { tags: ['a b', 'ü'] });
    const [held] = await submitMany(1, { countdown: 60, priority: 'low', description: 'Held back' });
    expect((await page('')).items).toHaveLength(50);
    expect((await page('status=scheduled&status=failed')).items.map((job) => job.id)).toEqual([held]);
    expect((await page('status=retrying')).items).toEqual([]);
    expect((await page(`tag=${encodeURIComponent('ü')}&limit=200`)).items).toHaveLength(60);
    expect((await page('q=HELD%20b')).items.map((job) => job.id)).toEqual([held]);
    expect((await page('pipeline=wide')).items).toEqual([]);
    expect((await page('sort=eta&limit=1')).items.map((job) => job.id)).toEqual([held]);
    expect((await page('created_before=2020-01-01T00:00:00Z')).items).toEqual([]);
    expect((await page('created_after=2020-01-01T00:00:00%2B02:00&limit=200')).items).toHaveLength(61);
  });

  it('refuses a cursor that was changed or belongs to another question', async () => {
    await submitMany(3);
    const { next_cursor } = await page('limit=1');
    const cursor = next_cursor ?? '';
    expect(cursor).not.toBe('');
    const changed = cursor.replace(/^./, (first) => (first === 'W' ? 'X' : 'W'));
    for (const query of [`cursor=${changed}`, `cursor=${cursor}&sort=created_at`, `cursor=${cursor}&pipeline=chain`]) {
      const { status, body } = await stage.get<{ errors: { path: string }[] }>(`/v1/ingest?${query}`);
      expect({ query, status, path: body.errors[0]?.path }).toEqual({ query, status: 422, path: 'cursor' });
    }
    // the size of the page is no part of the question
    expect((await page(`cursor=${cursor}&limit=2`)).items).toHaveLength(2);
  });
});
