import type { PoolClient } from 'pg';
import type { NamedStatement } from '#shared/store/database';
import { withClient } from '#shared/store/database';
import { NOTE_TOLD, TO_TELL, UNTOLD } from '#shared/store/jobs/dependants';
import { READ_DEPENDENCIES, WRITE_DEPENDENCIES } from '#shared/store/jobs/dependency-writes';
import { LOCK_JOBS, READ_STEPS, WRITE_DRAFTS } from '#shared/store/jobs/draft-statements';
import { DUE_SETTINGS, RELEASE_DUE } from '#shared/store/jobs/due-jobs';
import { FAST_SETTLE } from '#shared/store/jobs/fast-settle-statement';
import { PARKED } from '#shared/store/jobs/stuck-steps';
import { LaneClient } from '#shared/store/lane-client';
import { ADVANCE, CLAIM_DUE, NEXT_DUE, PRUNE_RUNS, READ_FACTS } from '#shared/store/schedules/tick-statements';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

/** What the tests need to see of a node of a plan. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** By what the rows are found: the name of an index, or `all of jobs` where a table is read whole. */
async function pathsOf(client: PoolClient, { name, text }: NamedStatement): Promise<string[]> {
  await client.query(`PREPARE "plan_of_${name}" AS ${text}`);
  const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, index]) => Number(index)));
  const nulls = count > 0 ? `(${Array.from({ length: count }, () => 'NULL').join(', ')})` : '';
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `EXPLAIN (FORMAT JSON) EXECUTE "plan_of_${name}" ${nulls}`,
  );
  await client.query(`DEALLOCATE "plan_of_${name}"`);
  const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];
  const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
  if (!plan) throw new Error('there is no plan');
  return nodes(plan.Plan).flatMap((node) => {
    if (node['Index Name'] !== undefined) return [node['Index Name']];
    return node['Node Type'] === 'Seq Scan' ? [`all of ${node['Relation Name']}`] : [];
  });
}

/** Replaces what the tables hold by so many jobs of three steps, most of them over, and tells the planner. */
async function fill(jobs: number): Promise<void> {
  await stage.server.query('TRUNCATE jobs, steps, attempts');
  await stage.server.query(
    `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, done, open, dispatched_at)
     SELECT gen_random_uuid(), 'h', 'p', CASE WHEN n % 20 = 0 THEN 'running' ELSE 'completed' END, 'default', 7, 1,
            CASE WHEN n % 20 = 0 THEN 0 ELSE 7 END, CASE WHEN n % 20 = 0 THEN 1 ELSE 0 END, now()
     FROM generate_series(1, $1::int) n`,
    [jobs],
  );
  await stage.server.query(
    `INSERT INTO steps (job_id, idx, status, turn, attempts)
     SELECT id, idx, CASE WHEN status = 'running' THEN 'running' ELSE 'completed' END, 0, 1 FROM jobs, generate_series(0, 2) idx`,
  );
  await stage.server.query(
    `INSERT INTO attempts (job_id, idx, epoch, number, outcome, started_at, finished_at)
     SELECT job_id, idx, 1, 1, 'completed', now(), now() FROM steps`,
  );
  await stage.server.query('ANALYZE jobs, steps, attempts');
}

const EXPECTED: [name: string, NamedStatement, string[]][] = [
  ['the batch settlement', FAST_SETTLE, ['jobs_pkey', 'jobs_pkey']],
  ['the locks of a transaction', LOCK_JOBS, ['jobs_pkey']],
  ['the read of its steps', READ_STEPS, ['steps_pkey']],
  ['the write of what changed', WRITE_DRAFTS, ['jobs_pkey']],
  ['the read of what they need', READ_DEPENDENCIES, ['dependencies_pkey']],
  ['the write of what they were told', WRITE_DEPENDENCIES, ['dependencies_pkey']],
];

describe.each([0, 10, 200, 20_000])('with %s jobs in the tables', (jobs) => {
  beforeAll(() => fill(jobs));

  it.each(EXPECTED)('%s goes by primary keys alone, on a lane', async (_, statement, expected) => {
    const lane = new LaneClient(await stage.connect(1));
    const paths = await lane.run((client) => pathsOf(client, statement));
    await lane.drop();
    expect(paths).toEqual(expected);
  });

  it('the release of what is due goes by when jobs are due, and by primary keys, on its lane', async () => {
    expect(await releasePaths(DUE_SETTINGS)).toEqual(BY_DUE);
  });
});

const BY_DUE = ['jobs_due', 'jobs_pkey', 'jobs_due', 'jobs_due'];

async function releasePaths(settings: string): Promise<string[]> {
  const lane = new LaneClient(await stage.connect(1), settings);
  const paths = await lane.run((client) => pathsOf(client, RELEASE_DUE));
  await lane.drop();
  return paths;
}

it('the release would not, on a lane like any other: planned while nothing is held, it would later read all that is', async () => {
  await fill(200);
  expect(await releasePaths('')).not.toEqual(BY_DUE);
});

it('would not, on a connection like any other: a small table is read whole', async () => {
  await fill(10);
  const paths = await withClient(await stage.connect(1), async (client) => {
    await client.query('SET plan_cache_mode = force_generic_plan');
    const found: string[] = [];
    for (const [, statement] of EXPECTED) found.push(...(await pathsOf(client, statement)));
    return found;
  });
  expect(paths).toEqual(expect.arrayContaining(['all of jobs', 'all of steps']));
});

it('the look for parked steps goes by their index, each pool to its own', async () => {
  await fill(20_000);
  await stage.server.query(
    `UPDATE steps SET status = 'parked', waits_for = 'pool ' || abs(hashtext(job_id::text) % 10) WHERE idx = 2`,
  );
  await stage.server.query(`INSERT INTO pools SELECT 'pool ' || n, 1, 3 FROM generate_series(0, 9) n`);
  await stage.server.query('ANALYZE steps, pools');
  const paths = await withClient(await stage.connect(1), (client) => pathsOf(client, PARKED));
  expect(paths).toEqual(['all of pools', 'steps_parked']);
});

it('what dependants have to be told is found by indexes, however many jobs wait', async () => {
  await fill(20_000);
  await stage.server.query(
    `INSERT INTO dependencies (job_id, needs_job_id, settled)
     SELECT j.id, u.id, j.n % 2 = 0
     FROM (SELECT id, row_number() OVER () AS n FROM jobs) j
     JOIN (SELECT id, row_number() OVER () AS n FROM jobs LIMIT 1000) u ON u.n = j.n % 1000 + 1`,
  );
  await stage.server.query(`UPDATE jobs SET told = 'live' WHERE id IN (SELECT id FROM jobs ORDER BY id LIMIT 3)`);
  await stage.server.query('ANALYZE jobs, dependencies');
  const lane = new LaneClient(await stage.connect(1));
  const paths = await lane.run(async (client) => {
    const found: string[][] = [];
    for (const statement of [UNTOLD, TO_TELL, NOTE_TOLD]) found.push(await pathsOf(client, statement));
    return found;
  });
  await lane.drop();
  expect(paths).toEqual([['jobs_untold'], ['dependencies_unsettled'], ['dependencies_unsettled', 'jobs_pkey']]);
});

it.each([0, 5_000])('schedules that are due are found and moved by indexes, with %s of them', async (schedules) => {
  await fill(20_000);
  await stage.server.query(
    `INSERT INTO schedules (id, cron, timezone, job, enabled, overlap, catch_up, next_at)
     SELECT gen_random_uuid(), '* * * * *', 'UTC', '{}', true, 'skip', 'last', now() + n * interval '1 minute'
     FROM generate_series(1, $1::int) n`,
    [schedules],
  );
  await stage.server.query(
    `UPDATE jobs SET schedule_id = (SELECT id FROM schedules OFFSET abs(hashtext(jobs.id::text)) % 100 LIMIT 1)
     WHERE status = 'running'`,
  );
  await stage.server.query('ANALYZE jobs, schedules, schedule_runs');
  const lane = new LaneClient(await stage.connect(1));
  const paths = await lane.run(async (client) => {
    const found: string[][] = [];
    for (const statement of [CLAIM_DUE, NEXT_DUE, READ_FACTS, ADVANCE, PRUNE_RUNS]) {
      found.push(await pathsOf(client, statement));
    }
    return found;
  });
  await lane.drop();
  expect(paths).toEqual([
    ['schedules_due'],
    ['schedules_due'],
    ['jobs_schedule_live', 'schedule_runs_pkey'],
    ['schedules_pkey'],
    ['schedule_runs_pkey', 'schedule_runs_pkey', 'schedules_pkey'],
  ]);
});
