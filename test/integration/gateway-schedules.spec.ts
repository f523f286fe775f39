import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'nats';
import type { JobPage, JobView, Problem } from '#shared/contracts/job';
import type { SchedulePage, ScheduleView } from '#shared/contracts/schedule';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';
import { until } from '../support/poll';
import { type Answer, GatewayStage } from './gateway-stage';

let stage: GatewayStage;
const NOBODY = '0190a0b0-0000-7000-8000-000000000000';

beforeAll(async () => {
  stage = await GatewayStage.start();
});
afterAll(() => stage.stop());

const create = (body: object): Promise<Answer<ScheduleView>> =>
  stage.post('/v1/schedules', { cron: '0 3 * * *', job: { pipeline: 'chain' }, ...body });
const patch = <Body = ScheduleView>(id: string, body: unknown): Promise<Answer<Body>> =>
  stage.call('PATCH', `/v1/schedules/${id}`, {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
const made = async (body: object = {}): Promise<ScheduleView> => (await create(body)).body;
const faultsOf = ({ status, body }: Answer): [number, string[]] => [
  status,
  ((body as Problem).errors ?? []).map(({ path, message }) => `${path}: ${message}`),
];

describe('POST /v1/schedules', () => {
  test('201 with the schedule and where it is; what was left out has its default', async () => {
    const before = Date.now();
    const { status, headers, body } = await create({});
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/v1/schedules/${body.id}`);
    const { id, next_runs, created_at, updated_at, ...rest } = body;
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(rest).toEqual({
      ...{ cron: '0 3 * * *', cron_text: 'At 03:00', timezone: 'UTC', job: { pipeline: 'chain', priority: 'default' } },
      ...{ enabled: true, overlap: 'skip', catch_up: 'last', description: null, last_jobs: [], last_error: null },
      ...{ skipped_count: 0, last_skipped_at: null, missed_count: 0 },
    });
    expect(next_runs).toHaveLength(5);
    for (const at of next_runs) expect(at).toMatch(/^\d{4}-\d\d-\d\dT03:00:00\.000Z$/);
    expect(Date.parse(next_runs[0] ?? '')).toBeGreaterThan(before);
    expect(updated_at).toBe(created_at);
    expect((await stage.get(`/v1/schedules/${id}`)).body).toEqual(body);
  });

  test('everything that can be said; the source as it was found', async () => {
    await mkdir(join(stage.sources, 'tree', 'part'), { recursive: true });
    const source = `${stage.sources}/tree/../tree/part`;
    const job = {
      ...{
        pipeline: 'repository',
        source,
        priority: 'low',
        tags: ['nightly'],
        input: { n: [1] },
        steps: ['filesystem'],
      },
      ...{ options: { filesystem: { max_file_bytes: 10 } }, description: 'the job', eta: null, depends_on: null },
    };
    const said = { cron: '  */30  8-17 * * 1-5 ', timezone: 'Europe/Berlin', overlap: 'queue', catch_up: 'all' };
    const { status, body } = await create({ ...said, job, enabled: false, description: 'the schedule' });
    expect([status, body]).toEqual([
      201,
      expect.objectContaining({ ...said, cron: '*/30 8-17 * * 1-5', enabled: false }),
    ]);
    expect(body.cron_text).toBe('Every 30 minutes, between 08:00 and 17:59, Monday through Friday');
    expect([body.description, body.next_runs]).toEqual(['the schedule', []]);
    const { eta: _eta, depends_on: _depends, ...kept } = job;
    expect(body.job).toEqual({ ...kept, source: join(stage.sources, 'tree', 'part'), source_type: 'local_path' });
  });

  test.each([
    [{ cron: undefined }, /^cron: expected string, found nothing/],
    [{ cron: 5 }, /^cron: expected string, found number/],
    [{ cron: '* * * *' }, /^cron: expected five fields \(minute, .*\) or six \(.*\), found 4 in "\* \* \* \*"$/],
    [{ cron: '0 0 0 1 1 * 2030' }, /^cron: expected five fields .* found 7/],
    [{ cron: '0 25 * * *' }, /^cron: the hour: expected 0 to 23, .* found "25"$/],
    [{ cron: '@daily' }, /^cron: expected five fields .* nickname "@daily": write "0 0 \* \* \*"$/],
    [{ cron: '0 0 30 2 *' }, /^cron: is never due: there is no such time in UTC$/],
    [{ timezone: 'Mars/Olympus' }, /^timezone: expected a name of the IANA .* found "Mars\/Olympus"$/],
    [{ timezone: '+02:00' }, /^timezone: expected a name/],
    [{ timezone: null }, /^timezone: expected string/],
    [{ enabled: 'yes' }, /^enabled: expected boolean/],
    [{ overlap: 'both' }, /^overlap: expected one of "skip"\|"queue"\|"allow"/],
    [{ catch_up: 'some' }, /^catch_up: expected one of "none"\|"last"\|"all"/],
    [{ description: 'a\0b' }, /^description: holds a NUL/],
    [{ next_at: '2030-01-01T00:00:00Z' }, /^next_at: is not a known field$/],
    [{ job: undefined }, /^job: expected object, found nothing/],
    [{ job: { pipeline: 'nope' } }, /^job\.pipeline: there is no pipeline "nope"; there are: chain, repository, wide$/],
    [{ job: {} }, /^job\.source: is missing: the pipeline repository needs one$/],
    [{ job: { pipeline: 'chain', steps: ['z'] } }, /^job\.steps\.0: the pipeline chain has no such step$/],
    [{ job: { pipeline: 'chain', options: { a: { url: 'x' } } } }, /^job\.options\.a\.url: is not an option/],
    [{ job: { source: '/etc' } }, /^job\.source: /],
    [{ job: { pipeline: 'chain', nonsense: 1 } }, /^job\.nonsense: is not a known field$/],
    [{ job: { pipeline: 'chain', input: [] } }, /^job\.input: expected a JSON object$/],
    [
      { job: { pipeline: 'chain', eta: '2030-01-01T00:00:00Z' } },
      /^job\.eta: is not for .* its cron says when it starts$/,
    ],
    [{ job: { pipeline: 'chain', countdown: 0 } }, /^job\.countdown: is not for .* its cron says when/],
    [{ job: { pipeline: 'chain', depends_on: [] } }, /^job\.depends_on: is not for .* "overlap": "queue"/],
    [{ job: { pipeline: 'chain', on_dependency_failure: 'run' } }, /^job\.on_dependency_failure: is not for/],
    [{ job: { pipeline: 'chain', idempotency_key: 'k' } }, /^job\.idempotency_key: is not for .* taken for the first/],
  ])('422 for %j, and says where and why', async (body, message) => {
    const [status, errors] = faultsOf(await create(body));
    expect([status, errors]).toEqual([422, [expect.stringMatching(message)]]);
  });

  test('several faults are told at once; no body and malformed JSON are what they are elsewhere', async () => {
    const [status, errors] = faultsOf(await create({ cron: 'x', timezone: 'y', overlap: 'z', job: 1 }));
    expect([status, errors.map((error) => error.split(':')[0])]).toEqual([422, ['cron', 'timezone', 'job', 'overlap']]);
    expect((await stage.post('/v1/schedules', '{')).status).toBe(400);
    expect((await stage.post('/v1/schedules', [])).status).toBe(422);
    expect((await stage.post('/v1/schedules?x=1', { cron: '* * * * *', job: {} })).status).toBe(422);
  });
});

describe('GET /v1/schedules', () => {
  test('pages through all of them, the newest first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift((await made({ description: `page ${n}` })).id);
    const first = (await stage.get<SchedulePage>('/v1/schedules?limit=2')).body;
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.has_more).toBe(true);
    const cursor = encodeURIComponent(first.next_cursor ?? '');
    const second = (await stage.get<SchedulePage>(`/v1/schedules?limit=3&cursor=${cursor}`)).body;
    expect(second.items.map(({ id }) => id)).toEqual(ids.slice(2));
    const all: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const query: string = next === '' ? '' : `&cursor=${encodeURIComponent(next)}`;
      const { body }: Answer<SchedulePage> = await stage.get(`/v1/schedules?limit=3${query}`);
      all.push(...body.items.map(({ id }) => id));
      expect(body.has_more).toBe(body.next_cursor !== null);
      next = body.next_cursor;
    }
    expect(all.slice(0, 5)).toEqual(ids);
    expect(new Set(all).size).toBe(all.length);
  });

  test('only those that are enabled, or only those that are not', async () => {
    const [on, off] = [await made(), await made({ enabled: false })];
    const idsOf = async (enabled: string): Promise<string[]> =>
      (await stage.get<SchedulePage>(`/v1/schedules?limit=200&enabled=${enabled}`)).body.items.map(({ id }) => id);
    expect(await idsOf('true')).toEqual(expect.arrayContaining([on.id]));
    expect(await idsOf('true')).not.toContain(off.id);
    expect(await idsOf('false')).toContain(off.id);
    expect(await idsOf('false')).not.toContain(on.id);
  });

  test.each(['limit=0', 'limit=201', 'enabled=yes', 'cursor=abc', 'cursor=', 'status=x'])(
    '422 for ?%s',
    async (query) => {
      expect((await stage.get(`/v1/schedules?${query}`)).status).toBe(422);
    },
  );

  test('a cursor is good for its own question only', async () => {
    await made();
    await made();
    const { next_cursor } = (await stage.get<SchedulePage>('/v1/schedules?limit=1')).body;
    const other = `/v1/schedules?limit=1&enabled=true&cursor=${encodeURIComponent(next_cursor ?? '')}`;
    expect(faultsOf(await stage.get(other))[0]).toBe(422);
  });
});

describe('PATCH /v1/schedules/{id}', () => {
  test('changes what is named, and nothing else', async () => {
    const before = await made({ description: 'before', timezone: 'Asia/Kolkata' });
    const { status, body } = await patch(before.id, { overlap: 'allow' });
    expect(status).toBe(200);
    expect(body).toEqual({ ...before, overlap: 'allow', updated_at: body.updated_at });
    expect(body.updated_at > before.updated_at).toBe(true);
    expect((await patch(before.id, { description: null })).body.description).toBeNull();
    expect((await patch(before.id, {})).status).toBe(200);
  });

  test('another cron, or another zone, is due at its own times', async () => {
    const { id } = await made();
    const moved = (await patch(id, { cron: '15 4 * * *' })).body;
    expect(moved.next_runs[0]).toMatch(/T04:15:00\.000Z$/);
    const inKolkata = (await patch(id, { timezone: 'Asia/Kolkata' })).body;
    expect(inKolkata.next_runs[0]).toMatch(/T22:45:00\.000Z$/);
    const [row] = await stage.database.query<{ next_at: Date }>('SELECT next_at FROM schedules WHERE id = $1', [id]);
    expect(row?.next_at.toISOString()).toBe(inKolkata.next_runs[0]);
  });

  test('what does not touch the times leaves a due time that is waiting', async () => {
    const { id } = await made();
    await stage.database.query(`UPDATE schedules SET next_at = '2026-01-01T03:00Z' WHERE id = $1`, [id]);
    await patch(id, { enabled: true, cron: '0 3 * * *', description: 'the same times' });
    const [row] = await stage.database.query<{ next_at: Date }>('SELECT next_at FROM schedules WHERE id = $1', [id]);
    expect(row?.next_at.toISOString()).toBe('2026-01-01T03:00:00.000Z');
  });

  test('disabled it is due never, enabled again after now', async () => {
    const { id } = await made();
    expect((await patch(id, { enabled: false })).body).toMatchObject({ enabled: false, next_runs: [] });
    await patch(id, { cron: '30 5 * * *' });
    const [row] = await stage.database.query<{ next_at: Date | null }>('SELECT next_at FROM schedules WHERE id = $1', [
      id,
    ]);
    expect(row?.next_at).toBeNull();
    expect((await patch(id, { enabled: true })).body.next_runs[0]).toMatch(/T05:30:00\.000Z$/);
  });

  test('another job is checked like the first', async () => {
    const { id } = await made();
    const { body } = await patch(id, { job: { pipeline: 'wide', tags: ['x'] } });
    expect(body.job).toEqual({ pipeline: 'wide', priority: 'default', tags: ['x'] });
    expect(faultsOf(await patch(id, { job: { pipeline: 'nope' } }))).toEqual([
      422,
      [expect.stringMatching(/^job\.pipeline/)],
    ]);
    expect((await stage.get<ScheduleView>(`/v1/schedules/${id}`)).body.job['pipeline']).toBe('wide');
  });

  test.each([
    [{ cron: '0 0 31 4 *' }, /^cron: is never due/],
    [{ cron: null }, /^cron: expected string/],
    [{ timezone: 'x' }, /^timezone: expected a name/],
    [{ skipped_count: 0 }, /^skipped_count: is not a known field/],
  ])('422 for %j; the schedule stays as it was', async (body, message) => {
    const before = await made();
    expect(faultsOf(await patch(before.id, body))).toEqual([422, [expect.stringMatching(message)]]);
    expect((await stage.get(`/v1/schedules/${before.id}`)).body).toEqual(before);
  });
});

describe('DELETE /v1/schedules/{id}', () => {
  test('204 once; its jobs stay', async () => {
    const { id } = await made();
    const job = (await stage.post<JobView>(`/v1/schedules/${id}/run`, {})).body;
    const { status, body } = await stage.call('DELETE', `/v1/schedules/${id}`);
    expect([status, body]).toEqual([204, '']);
    expect((await stage.get(`/v1/schedules/${id}`)).status).toBe(404);
    expect((await stage.call('DELETE', `/v1/schedules/${id}`)).status).toBe(404);
    expect((await stage.get<JobView>(`/v1/ingest/${job.id}`)).body.schedule_id).toBe(id);
  });
});

describe('POST /v1/schedules/{id}/run', () => {
  test('202 with the job and where it is, though another one runs and it is disabled', async () => {
    const { id } = await made({ enabled: false, job: { pipeline: 'wide', input: { n: 1 }, tags: ['t'] } });
    const first = await stage.post<JobView>(`/v1/schedules/${id}/run`, {});
    const second = await stage.call<JobView>('POST', `/v1/schedules/${id}/run`);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(first.headers.get('location')).toBe(`/v1/ingest/${first.body.id}`);
    expect(first.body).toMatchObject({
      ...{ schedule_id: id, pipeline: 'wide', status: 'pending', input: { n: 1 }, tags: ['t'], eta: null },
    });
    const { last_jobs } = (await stage.get<ScheduleView>(`/v1/schedules/${id}`)).body;
    expect(last_jobs).toEqual(
      [second, first].map(({ body }) => ({
        ...{ id: body.id, status: 'pending', due_at: null, created_at: body.created_at },
      })),
    );
  });

  test('422 when its job can no longer be made; a body or parameters are refused', async () => {
    const { id } = await made();
    await stage.database.query(`UPDATE schedules SET job = '{"pipeline": "removed"}' WHERE id = $1`, [id]);
    expect(faultsOf(await stage.post(`/v1/schedules/${id}/run`, {}))).toEqual([
      422,
      [expect.stringMatching(/^job\.pipeline: there is no pipeline "removed"/)],
    ]);
    expect((await stage.post(`/v1/schedules/${id}/run`, { x: 1 })).status).toBe(422);
  });
});

test.each([NOBODY, 'nonsense', NOBODY.toUpperCase(), '%00'])('404 for the id %s, whatever the call', async (id) => {
  const answers = [
    await stage.get(`/v1/schedules/${id}`),
    await patch(id, { enabled: false }),
    await stage.call('DELETE', `/v1/schedules/${id}`),
    await stage.post(`/v1/schedules/${id}/run`, {}),
  ];
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
});

test('GET /v1/ingest?schedule_id= lists the jobs of a schedule alone, newest first', async () => {
  const [one, other] = [await made(), await made()];
  const jobs: string[] = [];
  for (let n = 0; n < 3; n += 1) jobs.unshift((await stage.post<JobView>(`/v1/schedules/${one.id}/run`, {})).body.id);
  await stage.post(`/v1/schedules/${other.id}/run`, {});
  const idsOf = async (query: string): Promise<string[]> =>
    (await stage.get<JobPage>(`/v1/ingest?${query}`)).body.items.map(({ id }) => id);
  expect(await idsOf(`schedule_id=${one.id}`)).toEqual(jobs);
  expect(await idsOf(`schedule_id=${one.id.toUpperCase()}&status=pending&sort=created_at`)).toEqual(
    [...jobs].reverse(),
  );
  expect(await idsOf(`schedule_id=${NOBODY}`)).toEqual([]);
  expect(faultsOf(await stage.get('/v1/ingest?schedule_id=x'))).toEqual([
    422,
    ['schedule_id: expected the id of a schedule'],
  ]);
});

test('what changes when it is due wakes the schedulers, and the log says who did what', async () => {
  const nats = await connect({ servers: stage.nats.url });
  let woken = 0;
  const subscription = nats.subscribe(SCHEDULER_WAKE, { callback: () => void (woken += 1) });
  await nats.flush();
  const { id } = await made();
  await until(() => woken >= 1, { what: 'a wake-up after POST' });
  await patch(id, { enabled: false });
  await until(() => woken >= 2, { what: 'a wake-up after PATCH' });
  subscription.unsubscribe();
  await nats.close();
  const lines = stage.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toContainEqual(expect.objectContaining({ call: 'POST /v1/schedules', schedule: id, status: 201 }));
  expect(lines).toContainEqual(
    expect.objectContaining({ call: 'PATCH /v1/schedules/:id', schedule: id, changed: ['enabled'] }),
  );
});
