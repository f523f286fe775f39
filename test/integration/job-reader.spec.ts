import { randomUUID } from 'node:crypto';
import { jobView, attemptView } from '#shared/contracts/job';
import type { ListFilter, ListSort } from '#shared/contracts/ingest-request';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { Unavailable } from '#shared/domain/errors';
import { openDatabase } from '#shared/store/database';
import { listStatement } from '#shared/store/jobs/job-reader-list';
import type { ListPlace } from '#shared/store/jobs/page-statement';
import { JobReader } from '#shared/store/jobs/job-reader';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { StepReports } from '#shared/store/step-reports';
import { WorkerReader } from '#shared/store/worker-reader';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

type Database = Awaited<ReturnType<typeof openDatabase>>;

const UNKNOWN = '01930000-0000-7000-8000-000000000000';

let server: TestDatabase;
let database: Database;
let reader: JobReader;
let pipelineHash: string;

const step = (name: string, needs: string[]): PipelineDefinition['steps'][number] => ({
  ...{ name, needs, uses: 'noop', queue: 'default', max_retries: 3, timeout_ms: null, concurrency: null },
  back_off: { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 300_000, jitter: 0 },
  ...{ resources: {}, isolation: 'inline', options: {} },
});

beforeAll(async () => {
  server = await createTestDatabase();
  database = await openDatabase({ url: server.url, applicationName: 'job-reader-spec' });
  const pipelines = new PipelineStore(database);
  const steps = [step('first', []), step('second', ['first'])];
  pipelineHash = (await pipelines.save({ name: 'p', description: '', source: 'optional', steps })).hash;
  reader = new JobReader(database, pipelines);
});

afterAll(async () => {
  await database.destroy();
  await server.drop();
});

beforeEach(() => server.query('TRUNCATE jobs, steps, attempts, logs, workers'));

/** Inserts a job as it may be found, and gives its id. */
async function insert(fields: Record<string, unknown> = {}): Promise<string> {
  const id = randomUUID();
  const row = {
    ...{ id, pipeline: 'p', pipeline_hash: pipelineHash, status: 'pending', priority: 'default' },
    ...{ all_steps: 3, roots: 1, open: 1 },
    ...fields,
  };
  const names = Object.keys(row);
  const marks = names.map((_, index) => `$${index + 1}`);
  await server.query(`INSERT INTO jobs (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
  return id;
}

async function insertStep(jobId: string, idx: number, fields: Record<string, unknown> = {}): Promise<void> {
  const row = { job_id: jobId, idx, status: 'running', turn: 0, started_at: new Date(), ...fields };
  const names = Object.keys(row);
  const marks = names.map((_, index) => `$${index + 1}`);
  await server.query(`INSERT INTO steps (${names.join(', ')}) VALUES (${marks.join(', ')})`, Object.values(row));
}

async function listAll(filter: ListFilter, sort: ListSort = '-created_at', limit = 200): Promise<string[]> {
  const ids: string[] = [];
  let after: ListPlace | undefined;
  do {
    const page = await reader.list(filter, sort, limit, after);
    ids.push(...page.items.map((job) => job.id));
    after = page.next ?? undefined;
  } while (after);
  return ids;
}

describe('one job', () => {
  it('is read with its steps, in the shape of the contract', async () => {
    const id = await insert({ status: 'running', done: 1, open: 2, tags: ['a', 'b'], input: '{"n": 1}', version: 3 });
    await insertStep(id, 0, {
      status: 'completed',
      attempts: 1,
      output: '{"files": 2}',
      progress: 100,
      cpu_percent: 0.1,
    });
    const error = { message: 'no', kind: 'transient', code: null, at: '2026-11-23T12:00:00.000Z', attempt: 1 };
    await insertStep(id, 1, {
      ...{ status: 'retrying', attempts: 1, retry_count: 1, last_error: JSON.stringify(error) },
      next_retry_at: new Date('2026-11-23T12:00:10.500Z'),
    });
    const job = await reader.get(id.toUpperCase());
    expect(jobView.strict().parse(job)).toEqual(job);
    expect(job).toMatchObject({ id, status: 'running', tags: ['a', 'b'], input: { n: 1 }, version: 3, retry_count: 1 });
    expect(job).toMatchObject({ progress: 50, last_error: error, current_steps: ['second'] });
    expect(job?.steps).toMatchObject([
      { name: 'first', status: 'completed', output: { files: 2 }, cpu_percent: 0.1, attempt: 1 },
      { name: 'second', status: 'retrying', next_retry_at: '2026-11-23T12:00:10.500Z', output: null },
    ]);
  });

  it.each(['', 'x', '0193', `${UNKNOWN}x`, UNKNOWN, "' OR 1=1 --", 'batch'])('is null for %j', async (id) => {
    expect(await reader.get(id)).toBeNull();
    expect(await reader.attempts(id)).toBeNull();
    expect(await reader.logs(id, {})).toBeNull();
  });

  it('has its version told apart', async () => {
    const id = await insert({ version: 9 });
    expect(await reader.versions([id, randomUUID()])).toEqual(new Map([[id, 9]]));
  });
});

describe('attempts', () => {
  it('are those that have ended and those that run', async () => {
    const id = await insert({ status: 'running', done: 1, open: 2 });
    await insertStep(id, 0, { status: 'completed', attempts: 2 });
    await insertStep(id, 1, { status: 'running', attempts: 1, worker: 'w2' });
    for (const [idx, number, outcome] of [
      [0, 1, 'timeout'],
      [0, 2, 'completed'],
      [1, 1, 'crashed'],
    ] as const) {
      await server.query(
        `INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, error, next_delay_ms)
         VALUES ($1, $2, $3, $3, 'w1', $4, now(), now(), $5, $6)`,
        [id, idx, number, outcome, outcome === 'completed' ? null : '{"message":"m","kind":"k","code":null}', 250],
      );
    }
    const attempts = await reader.attempts(id);
    expect(attempts?.map((each) => attemptView.strict().parse(each))).toEqual(attempts);
    expect(attempts).toMatchObject([
      { step: 'first', number: 1, outcome: 'timeout', error: { message: 'm' }, next_delay_ms: 250 },
      { step: 'first', number: 2, outcome: 'completed', error: null },
      { step: 'second', number: 1, outcome: 'crashed', worker: 'w1' },
      { step: 'second', number: 2, outcome: null, finished_at: null, worker: 'w2' },
    ]);
  });

  it('of a job that has not begun are none', async () => {
    expect(await reader.attempts(await insert())).toEqual([]);
  });
});

describe('logs', () => {
  it('are the last 1,000 lines of each attempt, the oldest first', async () => {
    const id = await insert();
    await server.query(
      `INSERT INTO logs (job_id, idx, attempt, at, level, message)
       SELECT $1, idx, attempt, now(), 'info', format('%s/%s/%s', idx, attempt, n)
       FROM generate_series(1, 1001) n, (VALUES (0, 1), (0, 2), (1, 1)) v (idx, attempt) ORDER BY n`,
      [id],
    );
    expect(await reader.logs(id, {})).toHaveLength(3_000);
    const second = await reader.logs(id, { step: 'first', attempt: 2 });
    expect(second).toHaveLength(1_000);
    expect(second?.[0]).toMatchObject({ step: 'first', attempt: 2, level: 'info', message: '0/2/2' });
    expect(second?.at(-1)?.message).toBe('0/2/1001');
    await expect(reader.logs(id, { step: 'third' })).rejects.toMatchObject({ errors: [{ path: 'step' }] });
  });

  it('are trimmed to those, of the attempts that are named alone', async () => {
    const id = await insert();
    await server.query(
      `INSERT INTO logs (job_id, idx, attempt, at, level, message)
       SELECT $1, 0, attempt, now(), 'info', format('%s', n) FROM generate_series(1, 1500) n, generate_series(1, 2) attempt ORDER BY n`,
      [id],
    );
    await new StepReports(database).trimLogs([{ jobId: id, idx: 0, attempt: 1 }]);
    const left = `SELECT attempt, count(*)::int AS count, min(message::int) AS first FROM logs WHERE job_id = $1 GROUP BY 1 ORDER BY 1`;
    expect(await server.query(left, [id])).toEqual([
      { attempt: 1, count: 1_000, first: 501 },
      { attempt: 2, count: 1_500, first: 1 },
    ]);
  });
});

describe('the list', () => {
  it('has the newest first, pages without loss while jobs come in, and none twice', async () => {
    await server.query(
      `INSERT INTO jobs (id, pipeline, pipeline_hash, status, priority, all_steps, roots, created_at)
       SELECT gen_random_uuid(), 'p', $1, 'completed', 'default', 3, 1, now() - (n / 3) * interval '1 microsecond'
       FROM generate_series(1, 1000) n`,
      [pipelineHash],
    );
    const expected = await server.query<{ id: string }>('SELECT id FROM jobs ORDER BY created_at DESC, id DESC');
    const ids: string[] = [];
    let after: ListPlace | undefined;
    do {
      const page = await reader.list({}, '-created_at', 37, after);
      ids.push(...page.items.map((job) => job.id));
      after = page.next ?? undefined;
      for (let count = 0; count < 5; count += 1) await insert();
    } while (after);
    expect(ids).toEqual(expected.map((row) => row.id));
    const ascending = await listAll({ status: ['completed'] }, 'created_at', 83);
    expect(ascending).toEqual([...ids].reverse());
  });

  it('by eta has those without one last', async () => {
    const none = [await insert(), await insert()];
    const late = await insert({ eta: '2030-01-02T00:00:00Z', status: 'scheduled' });
    const early = await insert({ eta: '2030-01-01T00:00:00Z', status: 'scheduled' });
    for (const limit of [1, 2, 3, 4, 10]) expect(await listAll({}, 'eta', limit)).toEqual([early, late, ...none]);
  });

  it('takes several statuses, retrying among them, and shows each job once', async () => {
    const ids = new Map<string, string>();
    const statuses = ['scheduled', 'waiting', 'pending', 'running', 'cancelling', 'completed', 'failed', 'cancelled'];
    for (const status of statuses) {
      const held = { due_at: status === 'scheduled' ? new Date() : null, needs_jobs: status === 'waiting' ? 1 : 0 };
      ids.set(status, await insert({ status, ...held }));
    }
    const retrying = await insert({ status: 'running' });
    await insertStep(retrying, 0, { status: 'retrying', next_retry_at: new Date() });
    const named = (...names: string[]): (string | undefined)[] => names.map((name) => ids.get(name)).reverse();
    expect(await listAll({ status: ['pending'] })).toEqual(named('pending'));
    expect(await listAll({ status: ['scheduled', 'waiting'] })).toEqual(named('scheduled', 'waiting'));
    expect(await listAll({ status: ['failed', 'cancelled'] })).toEqual(named('failed', 'cancelled'));
    expect(await listAll({ status: ['pending', 'failed', 'failed'] })).toEqual(named('pending', 'failed'));
    expect(await listAll({ status: ['pending', 'completed', 'failed'] })).toEqual(
      named('pending', 'completed', 'failed'),
    );
    expect(await listAll({ status: ['retrying'] })).toEqual([retrying]);
    expect(await listAll({ status: ['retrying', 'running'] })).toEqual([retrying, ids.get('running')]);
    expect(await listAll({ status: ['retrying', 'waiting', 'failed'] })).toEqual([
      retrying,
      ...named('waiting', 'failed'),
    ]);
    expect(await listAll({ status: ['retrying', 'completed'] }, 'created_at', 1)).toEqual([
      ids.get('completed'),
      retrying,
    ]);
  });

  it('filters by pipeline, tag and time', async () => {
    const old = await insert({ created_at: '2020-01-01T00:00:00Z', tags: ['x', 'y'] });
    const other = await insert({ pipeline: 'q', tags: ['y'] });
    expect(await listAll({ pipeline: 'q' })).toEqual([other]);
    expect(await listAll({ tag: 'x' })).toEqual([old]);
    expect(await listAll({ tag: 'y' })).toEqual([other, old]);
    expect(await listAll({ tag: "{x}' --" })).toEqual([]);
    expect(await listAll({ created_before: new Date('2020-01-01T00:00:00Z') })).toEqual([]);
    expect(await listAll({ created_before: new Date('2021-01-01') })).toEqual([old]);
    expect(await listAll({ created_after: new Date('2020-01-01T00:00:00Z') })).toEqual([other]);
  });

  it('searches id, source, description and errors, for the text as it is', async () => {
    const bySource = await insert({ source: '/srv/Project_A' });
    const byDescription = await insert({ description: '100% of it \\ done' });
    const byError = await insert({ status: 'failed' });
    await insertStep(byError, 0, { status: 'failed', last_error: JSON.stringify({ message: 'Disk is FULL' }) });
    expect(await listAll({ q: 'project_a' })).toEqual([bySource]);
    expect(await listAll({ q: 'projectxa' })).toEqual([]);
    expect(await listAll({ q: '_' })).toEqual([bySource]);
    expect(await listAll({ q: '%' })).toEqual([byDescription]);
    expect(await listAll({ q: '\\ d' })).toEqual([byDescription]);
    expect(await listAll({ q: 'disk is full', status: ['failed'] })).toEqual([byError]);
    expect(await listAll({ q: byError.toUpperCase().slice(2, 20) })).toEqual([byError]);
  });

  it.each([
    ['as they are stored', `'"' || string_agg(md5(n::text), '') || '"'`],
    ['and stored small, being compressed', `'"' || string_agg('x'::text || (n % 2), '') || '"'`],
  ])('ends a page early when its jobs are large %s, and loses none', async (_, text) => {
    const ids: string[] = [];
    for (let count = 0; count < 6; count += 1) {
      const id = await insert({ status: 'completed', done: 3 });
      ids.unshift(id);
      await server.query(
        `INSERT INTO steps (job_id, idx, status, turn, output)
         SELECT $1, 0, 'completed', 0, jsonb_build_object('text', (${text})::jsonb) FROM generate_series(1, 600000 / ${text.includes('md5') ? 10 : 1}) n`,
        [id],
      );
    }
    const first = await reader.list({}, '-created_at', 200);
    expect(first.items.length).toBeGreaterThan(0);
    expect(first.items.length).toBeLessThan(6);
    expect(first.next).not.toBeNull();
    expect(await listAll({})).toEqual(ids);
  });

  it.each<[string, ListPlace]>([
    ['nothing', []],
    ['no time', [0, 'x', UNKNOWN]],
    ['a part that the sort does not have', [1, '2026-11-23T12:00:00.000000Z', UNKNOWN]],
    ['half a part', [0.5, '2026-11-23T12:00:00.000000Z', UNKNOWN]],
    ['a month that is none', [0, '2026-13-23T12:00:00.000000Z', UNKNOWN]],
    ['a day that is none', [0, '2026-02-30T12:00:00.000000Z', UNKNOWN]],
    ['no id', [0, '2026-11-23T12:00:00.000000Z', 'id']],
    ['too much', [0, '2026-11-23T12:00:00.000000Z', UNKNOWN, 1]],
  ])('refuses a place with %s', async (_, place) => {
    await expect(reader.list({}, '-created_at', 5, place)).rejects.toMatchObject({ errors: [{ path: 'cursor' }] });
  });

  it('is given up when it takes too long', async () => {
    await server.query(
      `INSERT INTO jobs (id, pipeline, pipeline_hash, status, priority, all_steps, roots, description)
       SELECT gen_random_uuid(), 'p', $1, 'completed', 'default', 3, 1, repeat('x', 500) FROM generate_series(1, 20000)`,
      [pipelineHash],
    );
    const hasty = new JobReader(database, new PipelineStore(database), { listLimitMs: 1 });
    await expect(hasty.list({ q: 'nowhere' }, '-created_at', 50)).rejects.toThrow('The search took too long');
    // and the connection is none the worse for it
    expect((await reader.list({}, '-created_at', 1)).items).toHaveLength(1);
  });

  it('turns away who would wait behind too many', async () => {
    const narrow = new JobReader(database, new PipelineStore(database), { lists: 1 });
    const results = await Promise.allSettled(Array.from({ length: 150 }, () => narrow.list({}, '-created_at', 1)));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(49);
    expect(refused.every((result) => result.reason instanceof Unavailable)).toBe(true);
  });
});

describe('with 50,000 jobs', () => {
  beforeEach(async () => {
    await server.query(
      `INSERT INTO jobs (id, pipeline, pipeline_hash, status, priority, all_steps, roots, created_at, tags, eta)
       SELECT gen_random_uuid(), 'p', $1, CASE WHEN n % 5000 = 0 THEN 'failed' WHEN n % 5000 = 1 THEN 'pending'
              ELSE 'completed' END, 'default', 3, 1, now() - n * interval '1 second',
              CASE WHEN n % 10000 = 0 THEN '{rare}' ELSE '{}' END::text[], CASE WHEN n % 2 = 0 THEN now() END
       FROM generate_series(1, 50000) n`,
      [pipelineHash],
    );
    await server.query('ANALYZE jobs');
  });

  it.each<[string, ListFilter, ListSort]>([
    ['jobs_created', {}, '-created_at'],
    ['jobs_created', { created_before: new Date(Date.now() - 40_000_000) }, '-created_at'],
    ['jobs_active', { status: ['pending', 'running'] }, '-created_at'],
    ['jobs_held_created', { status: ['scheduled'] }, '-created_at'],
    ['jobs_held_eta', { status: ['scheduled'] }, 'eta'],
    ['jobs_needing', { status: ['waiting'] }, '-created_at'],
    ['jobs_unsuccessful', { status: ['failed'] }, 'created_at'],
    ['jobs_tags', { tag: 'rare' }, '-created_at'],
    ['jobs_eta', {}, 'eta'],
    ['steps_retrying', { status: ['retrying'] }, '-created_at'],
  ])('it goes by %s for %j sorted by %s', async (index, filter, sort) => {
    // In the middle of the jobs, whenever this runs: beyond the last of them any index will do.
    const middle = new Date(Date.now() - 25_000_000).toISOString().replace('Z', '000Z');
    const { text, values } = listStatement(filter, sort, 50, [0, middle, randomUUID()]);
    const plan = await server.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values);
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(lines).toContain(index);
    expect(lines).not.toMatch(/Seq Scan on jobs/);
  });
});

describe('workers', () => {
  it('are alive as long as their lease, and were seen a lease before its end', async () => {
    await server.query(
      `INSERT INTO workers (id, name, version, pid, queues, capacity, running, lease_until, registered_at) VALUES
       ('w1', 'a', '1', 1, '{default}', 50, 7, now() + interval '9 s', now() - interval '1 h'),
       ('w2', 'b', '1', 2, '{default}', 50, 3, now() - interval '50 s', now() - interval '1 h')`,
    );
    const [alive, gone] = await new WorkerReader(database, 10_000).list();
    expect(alive).toMatchObject({ id: 'w1', status: 'alive', running: 7, capacity: 50, queues: ['default'] });
    expect(gone).toMatchObject({ id: 'w2', status: 'gone', running: 0, cpu_percent: null });
    expect(Date.parse(alive?.last_seen ?? '') - Date.parse(gone?.last_seen ?? '')).toBe(59_000);
  });
});
