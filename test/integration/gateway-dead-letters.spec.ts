import type { DeadLetterGroups, DeadLetterPage, DeadLetterView, RedriveResult } from '#shared/contracts/dead-letter';
import { deadLetterGroups, deadLetterPage, redriveResult } from '#shared/contracts/dead-letter';
import type { JobView, Problem } from '#shared/contracts/job';
import type { StepError } from '#shared/domain/turn/job-draft';
import { until } from '../support/poll';
import { type Answer, GatewayStage } from './gateway-stage';
import { NO_LUCK, PretendWorker } from './pretend-worker';

const UNKNOWN = '01930000-0000-7000-8000-000000000000';
const PATH = '/v1/dead_letters';

let stage: GatewayStage;
let worker: PretendWorker;

beforeAll(async () => {
  stage = await GatewayStage.start();
  worker = await PretendWorker.start(stage.database.url);
});
afterAll(async () => {
  await worker.stop();
  expect(await stage.stop()).toBe(true);
});
beforeEach(() => stage.database.query('TRUNCATE jobs, steps, attempts, dead_letters'));

const submit = async (body: object = {}): Promise<JobView> => (await stage.submit({ pipeline: 'chain', ...body })).body;
const list = async (query = ''): Promise<DeadLetterPage> => {
  const { status, body } = await stage.get<DeadLetterPage>(`${PATH}${query}`);
  expect(status).toBe(200);
  return deadLetterPage.strict().parse(body);
};
const redrive = (body: unknown): Promise<Answer<RedriveResult & Problem>> => stage.post(`${PATH}/redrive`, body);
const statusOf = async (id: string): Promise<string> => (await stage.get<JobView>(`/v1/ingest/${id}`)).body.status;
const error = (message: string, kind: StepError['kind'] = 'permanent'): StepError => ({ message, kind, code: null });

/** A job that has failed at its first step. */
async function failed(message = NO_LUCK.message, body: object = {}): Promise<string> {
  const { id } = await submit(body);
  await worker.fail(id, 0, error(message));
  return id;
}

/** A job of which one branch has failed, and another still runs. */
async function halfFailed(message = NO_LUCK.message): Promise<string> {
  const { id } = await submit({ pipeline: 'wide' });
  await worker.fail(id, 0, error(message));
  return id;
}

describe('the list', () => {
  it('shows what failed, with what it was to work on', async () => {
    const input = { files: ['a', 'b'], nested: { n: 1 } };
    const { id } = await submit({ source: 'tree', input, options: { a: { duration_ms: 7 } }, tags: ['x'] });
    await worker.fail(id, 0, { message: 'no such host', kind: 'transient', code: 'ENOTFOUND' });
    const { items, has_more, next_cursor } = await list();
    expect([items.length, has_more, next_cursor]).toEqual([1, false, null]);
    const [letter] = items;
    expect(letter).toMatchObject({
      ...{ job_id: id, pipeline: 'chain', step: 'a', attempts: 1 },
      error: { message: 'no such host', kind: 'transient', code: 'ENOTFOUND' },
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      payload: { source: expect.stringMatching(/\/tree$/) as string, source_type: 'local_path', input },
    });
    expect(letter?.payload).toMatchObject({ branch: null, commit: null });
    expect(letter?.payload.options).toMatchObject({ duration_ms: 7 });
    expect(await stage.get(`${PATH}/${letter?.id}`)).toMatchObject({ status: 200, body: letter });
  });

  it('is the newest first, in pages that neither miss nor repeat, with a cursor for the same question only', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) ids.push(await failed(`${n % 2 ? 'odd' : 'even'} one`));
    const seen: DeadLetterView[] = [];
    let cursor = '';
    for (let page = 0; page < 4; page += 1) {
      const { items, next_cursor, has_more } = await list(`?limit=2${cursor}`);
      seen.push(...items);
      expect(has_more).toBe(page < 3);
      cursor = `&cursor=${next_cursor}`;
    }
    expect(seen.map(({ job_id }) => job_id)).toEqual([...ids].reverse());
    const { next_cursor } = await list('?limit=2');
    const tampered = [
      `?cursor=${next_cursor}x`,
      `?cursor=x${next_cursor}`,
      '?cursor=nonsense',
      `?pipeline=chain&cursor=${next_cursor}`,
      `?group_by=fingerprint&cursor=${next_cursor}`,
    ];
    for (const query of tampered) {
      const { status, body } = await stage.get<Problem>(`${PATH}${query}`);
      expect([query, status, body.errors?.[0]?.path]).toEqual([query, 422, 'cursor']);
    }
  });

  it('pages through those that failed in the same instant', async () => {
    for (let n = 0; n < 5; n += 1) await failed();
    await stage.database.query(`UPDATE dead_letters SET created_at = '2026-01-01'`);
    const first = await list('?limit=3');
    const second = await list(`?limit=3&cursor=${first.next_cursor}`);
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(5);
    expect(second.has_more).toBe(false);
  });

  it('takes only what its filters say', async () => {
    const a = await failed('first kind');
    const b = await failed('second kind');
    await worker.fail((await submit({ pipeline: 'wide' })).id, 1, error('third', 'timeout'));
    const all = (await list()).items;
    const of = async (query: string): Promise<number> => (await list(`?${query}`)).items.length;
    expect(await of('pipeline=chain')).toBe(2);
    expect(await of('pipeline=wide&step=right')).toBe(1);
    expect(await of('step=a')).toBe(2);
    expect(await of('kind=timeout')).toBe(1);
    expect(await of(`job_id=${b.toUpperCase()}`)).toBe(1);
    expect(await of(`fingerprint=${all.find(({ job_id }) => job_id === a)?.fingerprint}`)).toBe(1);
    expect(await of('fingerprint=0000000000000000')).toBe(0);
    expect(await of('pipeline=nope')).toBe(0);
    expect(await of('created_before=2020-01-01T00:00:00Z')).toBe(0);
    expect(await of('created_after=2020-01-01T00:00:00Z')).toBe(3);
  });

  it.each([
    ['status=failed', 'status'],
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=ten', 'limit'],
    ['kind=odd', 'kind'],
    ['fingerprint=xyz', 'fingerprint'],
    ['job_id=5', 'job_id'],
    ['step=', 'step'],
    ['pipeline=%00', 'pipeline'],
    ['created_after=yesterday', 'created_after'],
    ['group_by=step', 'group_by'],
    ['step=a&step=b', 'step'],
  ])('refuses %s', async (query, path) => {
    const { status, body } = await stage.get<Problem>(`${PATH}?${query}`);
    expect([status, body.errors?.map((each) => each.path)]).toEqual([422, [path]]);
  });

  it('ends a page early when what it holds is large, and has the rest on the next', async () => {
    const text = Array.from({ length: 90_000 }, (_, n) => (n * 7_919).toString(36)).join('');
    for (let n = 0; n < 12; n += 1) await failed('large', { input: { text, n } });
    const first = await list('?limit=200');
    expect(first.items.length).toBeLessThan(12);
    expect(first.has_more).toBe(true);
    let seen = first.items.length;
    let cursor = first.next_cursor;
    while (cursor !== null) {
      const { items, next_cursor } = await list(`?limit=200&cursor=${cursor}`);
      seen += items.length;
      cursor = next_cursor;
    }
    expect(seen).toBe(12);
  });
});

describe('groups', () => {
  it('count what failed alike, the most frequent first, with the newest error', async () => {
    for (let n = 0; n < 3; n += 1) await failed(`cannot reach host ${n}`);
    await failed('another thing');
    await halfFailed('cannot reach host 9');
    const { status, body } = await stage.get<DeadLetterGroups>(`${PATH}?group_by=fingerprint`);
    expect(status).toBe(200);
    const { items, has_more } = deadLetterGroups.strict().parse(body);
    expect(has_more).toBe(false);
    expect(items.map(({ count, pipeline, step }) => [count, pipeline, step])).toEqual([
      [3, 'chain', 'a'],
      [1, 'wide', 'left'],
      [1, 'chain', 'a'],
    ]);
    expect(items[0]?.error.message).toBe('cannot reach host 2');
    const [first] = items;
    expect(Date.parse(first?.first_at ?? '')).toBeLessThanOrEqual(Date.parse(first?.last_at ?? ''));
    const some = await stage.get<DeadLetterGroups>(`${PATH}?group_by=fingerprint&pipeline=chain&limit=1`);
    expect(some.body).toEqual({ items: [first], has_more: true });
  });
});

describe('a redrive by id', () => {
  it('lets the job go on; its dead letter is gone', async () => {
    const id = await failed();
    const [letter] = (await list()).items;
    const { status, body } = await stage.call<JobView>('POST', `${PATH}/${letter?.id}/redrive`);
    expect([status, body.id, body.status]).toEqual([202, id, 'pending']);
    expect((await list()).items).toEqual([]);
    expect((await stage.call('POST', `${PATH}/${letter?.id}/redrive`)).status).toBe(404);
    expect((await stage.get(`${PATH}/${letter?.id}`)).status).toBe(404);
    await worker.fail(id, 0);
    const [again] = (await list()).items;
    expect(again).toMatchObject({ job_id: id, attempts: 2, fingerprint: expect.any(String) as string });
    expect(again?.id).not.toBe(letter?.id);
  });

  it('is a 409 while the job still runs', async () => {
    const id = await halfFailed();
    const [letter] = (await list()).items;
    const { status, body } = await stage.call<Problem>('POST', `${PATH}/${letter?.id}/redrive`);
    expect([status, body.detail]).toEqual([409, expect.stringMatching(/^The job is (running|pending)/)]);
    await worker.complete(id, 1);
    expect((await stage.call('POST', `${PATH}/${letter?.id}/redrive`)).status).toBe(202);
  });

  it.each(['nope', UNKNOWN, '%00'])('of %s is a 404', async (id) => {
    expect((await stage.call('POST', `${PATH}/${id}/redrive`)).status).toBe(404);
    expect((await stage.get(`${PATH}/${id}`)).status).toBe(404);
  });

  it('takes no body', async () => {
    await failed();
    const [letter] = (await list()).items;
    expect((await stage.post(`${PATH}/${letter?.id}/redrive`, { from_step: 'a' })).status).toBe(422);
    expect((await list()).items).toHaveLength(1);
  });
});

describe('a redrive of many', () => {
  it('by fingerprint takes those alone; a dry run takes none', async () => {
    const alike = [await failed('host 1'), await failed('host 2')];
    const other = await failed('something else');
    const still = await halfFailed('host 3');
    const of = (await list()).items.find(({ job_id }) => job_id === alike[0])?.fingerprint;
    expect((await redrive({ fingerprint: of, dry_run: true })).body).toEqual({ matched: 2, done: 0, skipped: 0 });
    expect(await Promise.all(alike.map(statusOf))).toEqual(['failed', 'failed']);
    const { status, body } = await redrive({ fingerprint: of });
    expect([status, redriveResult.strict().parse(body)]).toEqual([200, { matched: 2, done: 2, skipped: 0 }]);
    expect(await Promise.all([...alike, other, still].map(statusOf))).toEqual([
      ...['pending', 'pending', 'failed'],
      await statusOf(still),
    ]);
  });

  it('skips jobs that still run, and counts dead letters, not jobs', async () => {
    const { id } = await submit({ pipeline: 'wide' });
    await worker.fail(id, 0);
    await worker.fail(id, 1);
    await failed();
    await halfFailed();
    expect((await redrive({ filter: {}, dry_run: true })).body).toEqual({ matched: 4, done: 0, skipped: 1 });
    expect((await redrive({ filter: {} })).body).toEqual({ matched: 4, done: 3, skipped: 1 });
    expect(await stage.database.query('SELECT run FROM jobs WHERE id = $1', [id])).toEqual([{ run: 2 }]);
    expect((await redrive({ filter: {} })).body).toEqual({ matched: 1, done: 0, skipped: 1 });
  });

  it('by filter: the same as the list has', async () => {
    await failed();
    await failed();
    const { id } = await submit({ pipeline: 'wide' });
    await worker.fail(id, 0, error('late', 'timeout'));
    await worker.complete(id, 1);
    expect((await redrive({ filter: { kind: 'timeout' } })).body).toEqual({ matched: 1, done: 1, skipped: 0 });
    expect((await redrive({ filter: { pipeline: 'wide' } })).body).toEqual({ matched: 0, done: 0, skipped: 0 });
    const before = { created_before: new Date(Date.now() - 3_600_000).toISOString() };
    expect((await redrive({ filter: before })).body.matched).toBe(0);
    expect((await redrive({ filter: { step: 'a', pipeline: 'chain' } })).body.done).toBe(2);
  });

  it.each<[unknown, string[]]>([
    [{}, ['']],
    [undefined, ['']],
    [{ fingerprint: '0000000000000000', filter: {} }, ['']],
    [{ fingerprint: 'x' }, ['fingerprint']],
    [{ filter: { limit: 5 } }, ['filter.limit']],
    [{ filter: { kind: 'odd', job_id: '5' } }, ['filter.job_id', 'filter.kind']],
    [{ filter: [] }, ['filter']],
    [{ filter: {}, dry_run: 'yes' }, ['dry_run']],
    [{ filter: {}, action: 'retry' }, ['action']],
  ])('refuses %j', async (request, paths) => {
    await failed();
    const { status, body } =
      request === undefined ? await stage.call<Problem>('POST', `${PATH}/redrive`) : await redrive(request);
    expect([status, body.errors?.map(({ path }) => path).sort()]).toEqual([422, paths]);
    expect((await list()).items).toHaveLength(1);
  });

  it('takes thousands, each once, though some are redriven by another call at the same time', async () => {
    const jobs = Array.from({ length: 1_000 }, () => ({ pipeline: 'chain', steps: ['a'] }));
    const ids: string[] = [];
    for (let batch = 0; batch < 3; batch += 1) {
      const { body } = await stage.post<{ items: JobView[] }>('/v1/ingest/batch', { jobs });
      ids.push(...body.items.map(({ id }) => id));
    }
    await Promise.all(ids.map((id) => worker.fail(id)));
    const answers = await Promise.all([redrive({ filter: {} }), redrive({ filter: { step: 'a' } })]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers.reduce((sum, { body }) => sum + body.done, 0)).toBe(3_000);
    const [row] = await stage.database.query(
      `SELECT min(run) AS least, max(run) AS most, (SELECT count(*)::int FROM dead_letters) AS left FROM jobs`,
    );
    expect(row).toEqual({ least: 2, most: 2, left: 0 });
  }, 60_000);
});

it('the log says who redrove what', async () => {
  await failed();
  await failed();
  const [letter] = (await list()).items;
  await stage.call('POST', `${PATH}/${letter?.id}/redrive`);
  await redrive({ filter: { pipeline: 'chain' } });
  const lines = await until(() => {
    const found = stage.lines.filter((line) => line.includes('redrive')).map((line) => JSON.parse(line) as object);
    return JSON.stringify(found.at(-1)).includes('"pipeline":"chain"') && found;
  });
  expect(lines.slice(-2)).toMatchObject([
    { key: 'anonymous', call: 'POST /v1/dead_letters/:id/redrive', job: letter?.job_id, status: 202 },
    { call: 'POST /v1/dead_letters/redrive', filter: { pipeline: 'chain' }, redriven: { matched: 1, done: 1 } },
  ]);
});
