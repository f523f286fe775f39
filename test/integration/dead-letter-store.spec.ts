import type { DeadLetterFilter } from '#shared/contracts/dead-letter';
import { DeadLetterOutbox, UNMIRRORED } from '#shared/store/jobs/dead-letter-outbox';
import {
  letterCountStatement,
  letterGroupsStatement,
  letterJobsStatement,
  letterListStatement,
} from '#shared/store/jobs/dead-letter-statements';
import { DeadLetters, FIRST_JOB } from '#shared/store/jobs/dead-letters';
import type { PageStatement } from '#shared/store/jobs/page-statement';
import { CHAIN, pipelineOf, stepNamed } from '../support/drafts';
import { type CoreStage, newJobId, openStage } from './core-stage';

const LETTERS = 100_000;
const RARE = 'ffffffffffffffff';

let stage: CoreStage;
let letters: DeadLetters;

beforeAll(async () => {
  stage = await openStage();
  letters = new DeadLetters(await stage.connect(), stage.pipelines);
});
afterAll(() => stage.close());

async function indexesOf({ text, values }: PageStatement): Promise<string[]> {
  const [row] = await stage.server.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (FORMAT JSON) ${text}`, values);
  const plan = JSON.stringify(row?.['QUERY PLAN']);
  const whole = [...plan.matchAll(/"Node Type":"Seq Scan"[^{}]*?"Relation Name":"(\w+)"/g)].map(
    ([, name]) => `all of ${name}`,
  );
  return [...new Set([...[...plan.matchAll(/"Index Name":"(\w+)"/g)].map(([, name]) => name ?? ''), ...whole])].sort();
}

describe(`with ${LETTERS} dead letters`, () => {
  beforeAll(async () => {
    const { hash } = await stage.save(CHAIN);
    await stage.server.query(
      `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, dead, created_at)
       SELECT gen_random_uuid(), $1, 'tried', CASE WHEN n % 10 = 0 THEN 'running' ELSE 'failed' END, 'default', 7, 1, 7,
              now() - n * interval '1 second'
       FROM generate_series(1, $2::int) n`,
      [hash, LETTERS],
    );
    await stage.server.query(
      `INSERT INTO dead_letters (job_id, idx, run, pipeline, step, kind, fingerprint, error, attempts, created_at, mirrored)
       SELECT id, 0, 1, 'tried', 'a', 'transient', CASE WHEN n = 777 THEN $1 ELSE lpad(to_hex(n % 50), 16, '0') END,
              '{"message": "no", "kind": "transient", "code": null}', 1, created_at, n > 5
       FROM (SELECT *, row_number() OVER () AS n FROM jobs) j`,
      [RARE],
    );
    await stage.server.query('ANALYZE jobs, dead_letters');
  }, 60_000);

  const jobOf = async (): Promise<string> =>
    (await stage.server.query<{ job_id: string }>('SELECT job_id FROM dead_letters LIMIT 1'))[0]?.job_id ?? '';
  const read = ['dead_letters_pkey', 'jobs_pkey'];

  it.each<[string, () => Promise<DeadLetterFilter>, string]>([
    ['without a filter', async () => ({}), 'dead_letters_created'],
    ['of a pipeline', async () => ({ pipeline: 'tried', step: 'a', kind: 'transient' }), 'dead_letters_created'],
    ['of a time', async () => ({ created_before: new Date(Date.now() - 50_000_000) }), 'dead_letters_created'],
    ['of a fingerprint', async () => ({ fingerprint: '0000000000000007' }), 'dead_letters_fingerprint'],
    ['of a job', async () => ({ job_id: await jobOf() }), 'dead_letters_job_id_idx_key'],
  ])('a page %s goes by an index', async (_, filterOf, index) => {
    const filter = await filterOf();
    expect(await indexesOf(letterListStatement(filter, 50))).toEqual([index, ...read].sort());
    const { next } = await letters.list(filter, 50);
    if (!next) return;
    expect(await indexesOf(letterListStatement(filter, 50, next))).toEqual([index, ...read].sort());
  });

  it('the newest of each group go by an index; counting looks at what it counts', async () => {
    const all = await indexesOf(letterGroupsStatement({}, 50));
    expect(all).toContain('dead_letters_fingerprint');
    expect(await indexesOf(letterGroupsStatement({ fingerprint: RARE }, 50))).toEqual(['dead_letters_fingerprint']);
    const { items, hasMore } = await letters.groups({}, 20);
    expect([items.length, hasMore, items[0]?.count]).toEqual([20, true, LETTERS / 50]);
    expect((await letters.groups({}, 200)).items.at(-1)).toMatchObject({ fingerprint: RARE, count: 1 });
  });

  it('the jobs to redrive go by an index, on from where the batch before ended', async () => {
    const { matched, ended, until } = await letters.count({});
    expect([matched, ended]).toEqual([LETTERS, LETTERS * 0.9]);
    expect(await indexesOf(letterJobsStatement({}, until, FIRST_JOB, 500))).toEqual(['dead_letters_job_id_idx_key']);
    const rare = { fingerprint: RARE };
    expect(await indexesOf(letterJobsStatement(rare, until, FIRST_JOB, 500))).toEqual(['dead_letters_fingerprint']);
    expect(await indexesOf(letterCountStatement(rare, []))).toEqual(['dead_letters_fingerprint', 'jobs_pkey']);
    const first = await letters.jobs({}, until, FIRST_JOB, 500);
    const second = await letters.jobs({}, until, first.at(-1)?.jobId ?? '', 500);
    expect(new Set([...first, ...second].map(({ jobId }) => jobId)).size).toBe(1_000);
  });

  it('what is to be mirrored is found without looking at what was', async () => {
    const { text } = UNMIRRORED;
    expect(await indexesOf({ text, values: [200] })).toEqual(['dead_letters_unmirrored', 'jobs_pkey']);
    const outbox = new DeadLetterOutbox(await stage.connect(), stage.pipelines);
    const next = await outbox.next(3);
    expect(next.map(({ created_at }) => created_at)).toEqual(next.map(({ created_at }) => created_at).sort());
    await outbox.mark(next.map(({ id }) => id));
    expect(await outbox.next(200)).toHaveLength(2);
  });

  it('what failed after the count is no part of it', async () => {
    const { until } = await letters.count({});
    const { hash } = await stage.save(CHAIN);
    const id = newJobId();
    await stage.server.query(
      `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots) VALUES ($1, $2, 'tried', 'failed', 'low', 7, 1)`,
      [id, hash],
    );
    await stage.server.query(
      `INSERT INTO dead_letters (job_id, idx, run, pipeline, step, kind, fingerprint, error, attempts)
       VALUES ($1, 0, 1, 'tried', 'a', 'crashed', 'f', '{"message": "no", "kind": "crashed", "code": null}', 3)`,
      [id],
    );
    expect(await letters.jobs({ kind: 'crashed' }, until, FIRST_JOB, 10)).toEqual([]);
    const { until: later } = await letters.count({});
    expect(await letters.jobs({ kind: 'crashed' }, later, FIRST_JOB, 10)).toEqual([{ jobId: id, letters: 1 }]);
  });
});

describe('what is sent of a dead letter', () => {
  it('has its payload, unless that is large; a secret stays a name, a written one is hidden', async () => {
    await stage.server.query('TRUNCATE jobs, dead_letters');
    const authorization = { secret: 'TOKEN' };
    const options = {
      headers: { authorization, 'x-key': 'hunter2' },
      url: 'http://me:hunter2@127.0.0.1/?apikey=hunter2',
    };
    const shown = { headers: { authorization, 'x-key': '***' }, url: 'http://***@127.0.0.1/?apikey=***' };
    const pipeline = await stage.save(pipelineOf([stepNamed('a', { options })], 'secretive'));
    const inputs = [
      '{"n": 1}',
      JSON.stringify({ text: 'x'.repeat(70_000) }),
      JSON.stringify({ text: 'é'.repeat(32_700) }),
    ];
    for (const [n, input] of inputs.entries()) {
      const id = await stage.put(pipeline, { fields: { status: 'failed' } });
      await stage.server.query(`UPDATE jobs SET input = $2, options = '{"a": {"method": "PUT"}}' WHERE id = $1`, [
        id,
        input,
      ]);
      await stage.server.query(
        `INSERT INTO dead_letters (job_id, idx, run, pipeline, step, kind, fingerprint, error, attempts, created_at)
         VALUES ($1, 0, 2, 'secretive', 'a', 'transient', 'f', '{"message": "no", "kind": "transient", "code": null}', 4, $2)`,
        [id, new Date(Date.UTC(2026, 0, 1) + n)],
      );
    }
    const outbox = new DeadLetterOutbox(await stage.connect(), stage.pipelines);
    const sent = await outbox.next(10);
    expect(sent[0]).toEqual({
      ...{ id: expect.any(String) as string, job_id: expect.any(String) as string, run: 2, attempts: 4 },
      ...{ pipeline: 'secretive', step: 'a', fingerprint: 'f', created_at: '2026-01-01T00:00:00.000Z' },
      error: { message: 'no', kind: 'transient', code: null },
      payload: {
        ...{ source: null, source_type: null, branch: null, commit: null, input: { n: 1 } },
        options: { ...shown, method: 'PUT' },
      },
    });
    expect(sent.map(({ payload }) => payload !== undefined)).toEqual([true, false, false]);
    const { items } = await letters.list({}, 10);
    expect(items).toHaveLength(3);
    const read = await letters.get(sent[0]?.id ?? '');
    for (const letter of [...items, read]) expect(letter?.payload.options).toEqual({ ...shown, method: 'PUT' });
  });
});
