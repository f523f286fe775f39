import { JOB_STATUSES, type JobStatus } from '#shared/domain/status';
import { Sketch } from '#shared/domain/usage/sketch';
import { JobChangeFold } from '#shared/store/usage/job-change-fold';
import { UsageReader } from '#shared/store/usage/usage-reader';
import { type Random, randomOf } from '../support/random';
import { type CoreStage, openStage } from './core-stage';

const LIMIT_MS = 240_000;

let stage: CoreStage;
let fold: JobChangeFold;
let reader: UsageReader;
/** Every read is a new one. */
const AT_ONCE = { leastMs: 0, share: 1 };

beforeAll(async () => {
  stage = await openStage();
  const database = await stage.connect();
  fold = new JobChangeFold(database);
  reader = new UsageReader(database, AT_ONCE);
}, LIMIT_MS);
afterAll(() => stage.close());
beforeEach(async () => {
  // TRUNCATE tells no trigger.
  await stage.server.query('TRUNCATE jobs, job_changes, job_counts, rollups');
});

const insert = async (jobs: number, statuses: readonly JobStatus[], pipeline: string): Promise<void> => {
  await stage.server.query(
    `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, queued_at)
     SELECT gen_random_uuid(), 'h', $3, ($2::text[])[1 + n % cardinality($2::text[])], 'default', 1, 1, now()
     FROM generate_series(1, $1::int) n`,
    [jobs, statuses, pipeline],
  );
};

/** So many jobs by chance, each to another status by chance: in one statement, in all directions. */
const shuffle = async (random: Random): Promise<void> => {
  const order = random.int(0, 1) === 0 ? 'id' : 'id DESC';
  await stage.server.query(
    `UPDATE jobs SET status = ($1::text[])[1 + abs(hashtext(jobs.id::text || $2::text)) % 8]
     FROM (SELECT id FROM jobs ORDER BY ${order} LIMIT $3 FOR UPDATE) picked WHERE picked.id = jobs.id`,
    [JOB_STATUSES, random.int(0, 1e9), random.int(0, 40)],
  );
};

const remove = async (random: Random): Promise<void> => {
  await stage.server.query('DELETE FROM jobs WHERE id IN (SELECT id FROM jobs ORDER BY id LIMIT $1)', [
    random.int(0, 15),
  ]);
};

const counted = async (): Promise<unknown> =>
  stage.server.query(
    'SELECT pipeline, status, count(*)::int AS jobs FROM jobs GROUP BY pipeline, status ORDER BY pipeline, status',
  );

async function kept(): Promise<unknown> {
  const counts = await reader.readJobCounts();
  return counts
    .filter(({ current }) => current !== 0)
    .map(({ pipeline, status, current: jobs }) => ({ pipeline, status, jobs }))
    .sort((a, b) => (`${a.pipeline} ${a.status}` < `${b.pipeline} ${b.status}` ? -1 : 1));
}

it.each([1, 2, 3])(
  'jobs are counted by status without counting them, whatever statements do to them (%s)',
  async (seed) => {
    const random = randomOf(seed);
    for (let step = 0; step < 15; step++) {
      const kind = random.int(0, 4);
      if (kind === 0) await insert(random.int(0, 30), JOB_STATUSES, random.pick(['p', 'q']));
      else if (kind === 1) await remove(random);
      else if (kind === 2) await fold.foldSome();
      else await shuffle(random);
      expect(await kept()).toEqual(await counted());
    }
    await fold.foldSome();
    expect(await stage.server.query('SELECT FROM job_changes')).toEqual([]);
    expect(await kept()).toEqual(await counted());
  },
  LIMIT_MS,
);

it(
  'two services that fold at once count nothing twice, and what is rolled back not at all',
  async () => {
    const other = new JobChangeFold(await stage.connect());
    for (let round = 0; round < 3; round++) {
      await insert(7, ['pending'], 'p');
      await Promise.all([fold.foldSome(), other.foldSome(), shuffle(randomOf(round)), fold.foldSome()]);
    }
    const failing = stage.server
      .query(`INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots)
    SELECT gen_random_uuid(), 'h', 'p', CASE n WHEN 3 THEN 'nonsense' ELSE 'pending' END, 'default', 1, 1
    FROM generate_series(1, 3) n`);
    await expect(failing).rejects.toThrow('jobs_status_check');
    expect(await kept()).toEqual(await counted());
  },
  LIMIT_MS,
);

const move = async (became: JobStatus, more = ''): Promise<void> => {
  await stage.server.query(`UPDATE jobs SET status = $1${more}`, [became]);
};

it(
  'a job that ended, was retried and ended again has ended twice; how long it took and waited is kept',
  async () => {
    await insert(3, ['pending'], 'p');
    await move('running', `, started_at = queued_at + interval '2 seconds'`);
    await fold.foldSome();
    await move('failed', `, completed_at = started_at + interval '5 seconds'`);
    await move('running', ', completed_at = NULL');
    await move('completed', `, completed_at = started_at + interval '9 seconds'`);
    await fold.foldSome();
    const { window, total } = await reader.read();
    const ends = window.jobs.map(({ status, jobs, durationMs: { max, count } }) => [status, jobs, max, count]);
    expect(ends.sort()).toEqual([
      ['completed', 3, 9_000, 3],
      ['failed', 3, 5_000, 3],
    ]);
    expect(window.waits.map(({ pipeline, waitMs: { count, min } }) => [pipeline, count, min])).toEqual([
      ['p', 3, 2_000],
    ]);
    expect(JSON.stringify(total)).toBe(JSON.stringify(window));
    const counts = (await reader.readJobCounts()).map(({ status, entered, current }) => [status, entered, current]);
    expect(counts.sort()).toEqual([
      ['completed', 3, 3],
      ['failed', 3, 0],
      ['pending', 3, 0],
      ['running', 6, 0],
    ]);
  },
  LIMIT_MS,
);

it(
  'what happened before the minutes that are folded goes to what is folded',
  async () => {
    await insert(2, ['pending'], 'p');
    await move('running', `, started_at = queued_at + interval '1 second'`);
    await stage.server.query(`UPDATE job_changes SET at = now() - interval '3 hours'`);
    const [mark] = await stage.server.query<{ at: Date }>(`SELECT at FROM rollup_marks WHERE name = 'folded'`);
    await stage.server.query(`UPDATE rollup_marks SET at = now() - interval '70 minutes' WHERE name = 'folded'`);
    await fold.foldSome();
    await stage.server.query(`UPDATE rollup_marks SET at = $1 WHERE name = 'folded'`, [mark?.at]);
    const rows = await stage.server.query<{ minute: number; data: never }>(
      `SELECT extract(epoch FROM minute)::float8 AS minute, data FROM rollups WHERE kind = 'wait'`,
    );
    expect(rows.map(({ minute, data }) => [minute, Sketch.from(data).count])).toEqual([[-Infinity, 2]]);
  },
  LIMIT_MS,
);

it(
  'the trigger of updates compares no job with all others, also when it was planned for one',
  async () => {
    await insert(2_000, ['pending'], 'p');
    const [{ source = '' } = {}] = await stage.server.query<{ source: string }>(
      `SELECT prosrc AS source FROM pg_proc WHERE proname = 'note_jobs_updated'`,
    );
    const statement = /INSERT INTO job_changes[^;]*/.exec(source)?.[0] ?? '';
    const [{ settings } = { settings: null }] = await stage.server.query<{ settings: string[] | null }>(
      `SELECT proconfig AS settings FROM pg_proc WHERE proname = 'note_jobs_updated'`,
    );
    expect(settings).toEqual(['enable_nestloop=off']);
    await stage.server.query(`
    CREATE TABLE plan_lines (line text);
    CREATE FUNCTION explain_update() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
    DECLARE line text;
    BEGIN
      FOR line IN EXPLAIN ${statement} LOOP INSERT INTO plan_lines VALUES (line); END LOOP;
      RETURN NULL;
    END $$;
    CREATE TRIGGER jobs_explained AFTER UPDATE ON jobs
      REFERENCING OLD TABLE AS old_jobs NEW TABLE AS new_jobs FOR EACH STATEMENT EXECUTE FUNCTION explain_update()`);
    try {
      await stage.server.query(`UPDATE jobs SET status = 'running' WHERE id = (SELECT id FROM jobs LIMIT 1)`);
      await move('running');
      const lines = await stage.server.query<{ line: string }>('SELECT line FROM plan_lines');
      expect(lines.filter(({ line }) => /Hash Join|Merge Join/.test(line))).toHaveLength(2);
      expect(lines.filter(({ line }) => line.includes('Nested Loop'))).toEqual([]);
    } finally {
      await stage.server.query(
        'DROP TRIGGER jobs_explained ON jobs; DROP FUNCTION explain_update; DROP TABLE plan_lines',
      );
    }
  },
  LIMIT_MS,
);
