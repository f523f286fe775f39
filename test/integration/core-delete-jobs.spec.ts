import type { NewJob } from '#shared/domain/new-job';
import { cancelJob } from '#shared/domain/turn/cancel';
import { tellOfDependency } from '#shared/domain/turn/hold';
import { retryJob } from '#shared/domain/turn/retry';
import { type Database, execute } from '#shared/store/database';
import { DeleteJobs } from '#shared/store/jobs/delete-jobs';
import { DELETE_ALL, KEEP_ATTEMPTS, LOCK_THEIR_DEPENDENCIES, NEEDED_BY } from '#shared/store/jobs/delete-statements';
import { ExpiredJobs, EXPIRED_PAGE, EXPIRY_START } from '#shared/store/jobs/expired-jobs';
import { FastSettlement } from '#shared/store/jobs/fast-settlement';
import { JobSubmission } from '#shared/store/jobs/job-submission';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { LaneClient } from '#shared/store/lane-client';
import { MEASURED, pipelineOf, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { type CoreStage, newJobId, openStage } from './core-stage';
import { PretendWorker } from './pretend-worker';

let stage: CoreStage;
let deletions: DeleteJobs;
let submission: JobSubmission;
let transactions: JobTransactions;
let worker: PretendWorker;
let fast: FastSettlement;
let pipeline: StoredPipeline;
let holder: ReturnType<Database['createQueryRunner']>;

/** Each round waits for locks; on a busy machine that takes long. */
const ROUNDS = 4;
const LONG_MS = 180_000;

const TABLES = ['jobs', 'steps', 'attempts', 'logs', 'dead_letters', 'dependencies'];

beforeAll(async () => {
  stage = await openStage();
  const database = await stage.connect(10);
  deletions = new DeleteJobs(database);
  submission = new JobSubmission(database);
  transactions = new JobTransactions(database, stage.pipelines);
  fast = new FastSettlement(database, () => 'me');
  worker = await PretendWorker.start(stage.server.url);
  holder = (await stage.connect(1)).createQueryRunner();
  pipeline = await stage.save(pipelineOf([stepNamed('only', { max_retries: 0 })]));
});
afterAll(async () => {
  await holder.release();
  await Promise.all([deletions.close(), submission.idle(), transactions.close(), fast.close(), worker.stop()]);
  await stage.close();
});
beforeEach(async () => {
  await stage.server.query('DELETE FROM jobs');
  await stage.server.query(
    'TRUNCATE steps, attempts, logs, dead_letters, dependencies, deleted_attempts, job_counts, job_changes',
  );
  await stage.server.query(`UPDATE rollup_marks SET at = '2000-01-01T00:00:00Z'`);
});

async function submit(over: Partial<NewJob> = {}): Promise<string> {
  const job: NewJob = {
    ...{ id: newJobId(), pipeline: 'tried', pipelineHash: pipeline.hash, allSteps: pipeline.graph.all },
    ...{ roots: pipeline.graph.roots, priority: 'default', source: null, sourceType: null, branch: null, commit: null },
    ...{ input: {}, options: {}, tags: [], description: null, etaSeconds: null, countdown: null },
    ...{ idempotencyKey: null, requestHash: null, dependsOn: [], onDependencyFailure: 'fail', scheduleId: null },
    ...over,
  };
  const outcome = await submission.submit(job);
  if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
  return job.id;
}

async function ended(how: 'completed' | 'failed' = 'completed'): Promise<string> {
  const id = await submit();
  await (how === 'completed' ? worker.complete(id) : worker.fail(id));
  return id;
}

const addLog = (id: string): Promise<unknown> =>
  stage.server.query(
    `INSERT INTO logs (job_id, idx, attempt, at, level, message) VALUES ($1, 0, 1, now(), 'info', 'x')`,
    [id],
  );

/** Rows of each table that has any. */
async function rows(): Promise<Record<string, number>> {
  const counts = TABLES.map((table) => `SELECT '${table}' AS table, count(*)::int AS rows FROM ${table}`);
  const found = await stage.server.query<{ table: string; rows: number }>(counts.join(' UNION ALL '));
  return Object.fromEntries(found.filter((each) => each.rows > 0).map((each) => [each.table, each.rows]));
}

/** How many jobs there are by the counts that the triggers keep. */
async function counted(): Promise<Record<string, number>> {
  const found = await stage.server.query<{ status: string; jobs: number }>(
    `SELECT status, sum(jobs)::int AS jobs FROM (
       SELECT became AS status, jobs FROM job_changes WHERE became IS NOT NULL
       UNION ALL SELECT was, -jobs FROM job_changes WHERE was IS NOT NULL) c GROUP BY 1 HAVING sum(jobs) <> 0`,
  );
  return Object.fromEntries(found.map(({ status, jobs }) => [status, jobs]));
}

const cancel = (jobId: string): Promise<unknown> => transactions.run({ jobId, apply: cancelJob });

/** What the scheduler does: tells a job how one stands that it needs. */
const tell = (jobId: string, neededId: string): Promise<unknown> =>
  transactions.run({
    jobId,
    beside: neededId,
    apply: (draft, { statusOf }) => {
      const status = statusOf(neededId);
      return status !== undefined && tellOfDependency(draft, neededId, status);
    },
  });

const noteTold = (id: string): Promise<unknown> =>
  stage.server.query('UPDATE jobs SET told = status WHERE id = $1', [id]);

/** Holds the lock of a job until all that is begun meanwhile is seen to wait for it. */
async function holding<T>(id: string, begin: () => Promise<T>[]): Promise<T[]> {
  await holder.query('BEGIN');
  await holder.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [id]);
  const begun = begin();
  const waiting = async (): Promise<number> => {
    const [row] = await stage.server.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return row?.waiting ?? 0;
  };
  try {
    await until(async () => (await waiting()) >= begun.length, {
      what: 'all to wait for the lock',
      deadlineMs: 60_000,
    });
  } finally {
    await holder.query('ROLLBACK');
  }
  return Promise.all(begun);
}

it('takes a finished job with all that belongs to it, and nothing of others; the counts follow', async () => {
  const [doomed, other] = [await ended('failed'), await ended('failed')];
  await addLog(doomed);
  await addLog(other);
  expect(await counted()).toEqual({ failed: 2 });
  expect(await deletions.delete(doomed)).toEqual({ kind: 'deleted' });
  expect(await rows()).toEqual({ jobs: 1, steps: 1, attempts: 1, logs: 1, dead_letters: 1 });
  expect(await counted()).toEqual({ failed: 1 });
  expect(await deletions.delete(doomed)).toEqual({ kind: 'missing' });
  expect(await deletions.delete(newJobId())).toEqual({ kind: 'missing' });
});

it('keeps attempts of minutes that are not folded, to be counted anew', async () => {
  const kept = await stage.put(pipeline, {
    fields: { status: 'failed', open: 0n },
    attempts: [
      {
        ...{
          idx: 0,
          epoch: 1,
          number: 1,
          worker: 'w',
          outcome: 'failed',
          ...MEASURED,
        },
        ...{ error: { message: 'no', kind: 'transient', code: null }, nextDelayMs: 5 },
      } as never,
    ],
  });
  await deletions.delete(kept);
  expect(
    await stage.server.query('SELECT pipeline_hash, idx, outcome, error_kind, retried FROM deleted_attempts'),
  ).toEqual([{ pipeline_hash: pipeline.hash, idx: 0, outcome: 'failed', error_kind: 'transient', retried: true }]);
  await stage.server.query('TRUNCATE deleted_attempts');
  await stage.server.query(`UPDATE rollup_marks SET at = now() + interval '1 hour' WHERE name = 'folded'`);
  await deletions.delete(await ended());
  expect(await stage.server.query('SELECT FROM deleted_attempts')).toEqual([]);
});

it('refuses what has not ended, whatever it is at', async () => {
  const pending = await submit();
  const scheduled = await submit({ countdown: 600 });
  const running = await submit();
  await worker.begin(running);
  const waiting = await submit({ dependsOn: [running] });
  expect(await deletions.delete(pending)).toEqual({ kind: 'live', status: 'pending' });
  expect(await deletions.delete(scheduled)).toEqual({ kind: 'live', status: 'scheduled' });
  expect(await deletions.delete(running)).toEqual({ kind: 'live', status: 'running' });
  expect(await deletions.delete(waiting)).toEqual({ kind: 'live', status: 'waiting' });
  await cancel(running);
  expect(await deletions.delete(running)).toEqual({ kind: 'live', status: 'cancelling' });
  expect((await rows())['jobs']).toBe(4);
});

describe('of jobs that others need', () => {
  it('one stays until the other has been told how it ended', async () => {
    const needed = await submit();
    const dependant = await submit({ dependsOn: [needed] });
    await worker.complete(needed);
    expect(await deletions.delete(needed)).toEqual({ kind: 'needed', byJobId: dependant });
    await tell(dependant, needed);
    expect(await deletions.delete(needed)).toEqual({ kind: 'untold' });
    await noteTold(needed);
    expect(await deletions.delete(needed)).toEqual({ kind: 'deleted' });
    expect((await stage.read(dependant)).fields.status).toBe('pending');
  });

  it('one that has failed goes, when the other has failed for it; that one can then be retried by itself', async () => {
    const needed = await submit();
    const dependant = await submit({ dependsOn: [needed] });
    await worker.fail(needed);
    await tell(dependant, needed);
    await noteTold(needed);
    expect(await deletions.delete(needed)).toEqual({ kind: 'deleted' });
    expect((await rows())['dependencies']).toBeUndefined();
    const retried = await transactions.run({
      jobId: dependant,
      apply: (draft, { pools }) => retryJob(draft, null, pools) !== null,
    });
    expect(retried?.result).toBe(true);
  });

  it('a dependant goes while the other still runs, which then ends as any', async () => {
    const needed = await submit();
    const dependant = await submit({ dependsOn: [needed] });
    await cancel(dependant);
    expect(await deletions.delete(dependant)).toEqual({ kind: 'deleted' });
    expect((await rows())['dependencies']).toBeUndefined();
    await worker.complete(needed);
    expect((await stage.read(needed)).fields.status).toBe('completed');
  });

  it(
    'a new one is attached before the deletion or finds no job: never does it wait for what is gone',
    async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const needed = await ended('failed');
        const dependantId = newJobId();
        const [deletion, dependant] = await holding<unknown>(needed, () => [
          deletions.delete(needed),
          submit({ id: dependantId, dependsOn: [needed] }).catch((error: unknown) => String(error)),
        ]);
        const { kind } = deletion as { kind: string };
        if (kind === 'deleted') expect(dependant).toContain('unknown_dependencies');
        else expect([kind, dependant]).toEqual([expect.stringMatching(/needed|untold/) as string, dependantId]);
      }
    },
    LONG_MS,
  );
});

it(
  'against a retry at the same moment: one of them wins, always',
  async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = await ended('failed');
      const deletion = (): Promise<unknown> => deletions.delete(id);
      const retry = (): Promise<unknown> =>
        transactions.run({ jobId: id, apply: (draft, { pools }) => retryJob(draft, null, pools) !== null });
      const [first, second] = await holding(id, () => (round % 2 ? [deletion(), retry()] : [retry(), deletion()]));
      const [deleted, retried] = round % 2 ? [first, second] : [second, first];
      const { kind } = deleted as { kind: string };
      const left = await stage.server.query<{ status: string }>('SELECT status FROM jobs WHERE id = $1', [id]);
      if (kind === 'deleted') expect([retried, left]).toEqual([null, []]);
      else expect([kind, left]).toEqual(['live', [{ status: 'pending' }]]);
    }
  },
  LONG_MS,
);

it('a settlement that comes too late changes nothing, and leaves nothing', async () => {
  const id = await ended();
  await deletions.delete(id);
  const steps = [{ kind: 'completed' as const, idx: 0, output: {}, ...MEASURED }];
  const late = await fast.settle({ jobId: id, run: 1, head: 0, graph: pipeline.graph, steps, keepable: 0n });
  expect(late.kind).toBe('stale');
  expect(await rows()).toEqual({});
});

it('frees the idempotency key', async () => {
  const first = await submit({ idempotencyKey: 'k', requestHash: 'h' });
  await worker.complete(first);
  await deletions.delete(first);
  expect(await submit({ idempotencyKey: 'k', requestHash: 'other' })).not.toBe(first);
});

it('many at once, among them such as need each other, end without a deadlock', async () => {
  const needed = await Promise.all(Array.from({ length: 10 }, () => submit()));
  const dependants = await Promise.all(Array.from({ length: 10 }, () => submit({ dependsOn: needed })));
  for (const id of dependants) await cancel(id);
  for (const id of needed) await worker.complete(id);
  for (const id of needed) await noteTold(id);
  const others = new DeleteJobs(await stage.connect(2));
  const all = [...needed, ...dependants];
  await Promise.all([...all.map((id) => deletions.delete(id)), others.prune(all), others.close()]);
  await Promise.all(all.map((id) => deletions.delete(id)));
  expect(await rows()).toEqual({});
  expect(await counted()).toEqual({});
});

describe('what is kept no longer', () => {
  const age = (id: string, days: number): Promise<unknown> =>
    stage.server.query(
      `UPDATE jobs SET created_at = now() - $2 * interval '1 day',
                       completed_at = CASE WHEN completed_at IS NOT NULL THEN now() - $2 * interval '1 day' END WHERE id = $1`,
      [id, days],
    );
  const DAY_MS = 86_400_000;

  it('is found by when jobs ended, a page at a time, with many made at one instant', async () => {
    const old = await Promise.all(Array.from({ length: 5 }, () => ended()));
    await stage.server.query(
      `UPDATE jobs SET created_at = '2020-01-01T00:00:00.123456Z', completed_at = '2020-01-02T00:00:00Z'`,
    );
    const live = await submit();
    await age(live, 40);
    const late = await ended();
    await stage.server.query(`UPDATE jobs SET created_at = now() - interval '40 days' WHERE id = $1`, [late]);
    await ended();
    const expired = new ExpiredJobs(await stage.connect(1), 30 * DAY_MS);
    const found: string[] = [];
    let pages = 0;
    for (let from: typeof EXPIRY_START | null = EXPIRY_START; from !== null; pages += 1) {
      const page = await expired.page(from, 2);
      found.push(...page.ids);
      from = page.next;
    }
    await expired.close();
    expect(found).toEqual([...old].sort());
    expect(pages).toBe(4);
  });

  it('is removed but for what others need or have locked, by several at once', async () => {
    const old = await Promise.all(Array.from({ length: 20 }, () => ended()));
    const needed = await submit();
    const dependant = await submit({ dependsOn: [needed] });
    await worker.fail(needed);
    const pruners = [new DeleteJobs(await stage.connect(2)), new DeleteJobs(await stage.connect(2))];
    const locked = old[0] ?? '';
    await holder.query('BEGIN');
    await holder.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [locked]);
    const counts = await Promise.all(pruners.map((pruner) => pruner.prune([...old, needed, dependant])));
    await holder.query('ROLLBACK');
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(19);
    const left = await stage.server.query<{ id: string }>('SELECT id FROM jobs ORDER BY id');
    expect(left.map(({ id }) => id)).toEqual([locked, needed, dependant].sort());
    await Promise.all(pruners.map((pruner) => pruner.close()));
  });
});

it('goes by indexes', async () => {
  const lane = new LaneClient(await stage.connect(1));
  const plans = await lane.run(async (client) => {
    const lines: string[] = [];
    for (const { name, text } of [LOCK_THEIR_DEPENDENCIES, NEEDED_BY, KEEP_ATTEMPTS, ...DELETE_ALL, EXPIRED_PAGE]) {
      await client.query(`PREPARE "plan_of_${name}" AS ${text}`);
      const values = name === EXPIRED_PAGE.name ? 'NULL, NULL, NULL, NULL' : 'NULL';
      const plan = await execute<{ 'QUERY PLAN': string }>(
        client,
        { name: `explain_${name}`, text: `EXPLAIN EXECUTE "plan_of_${name}" (${values})` },
        [],
      );
      lines.push(...plan.map((row) => row['QUERY PLAN']));
    }
    return lines.join('\n');
  });
  await lane.drop();
  expect(plans).not.toContain('Seq Scan');
  expect(plans).toContain('jobs_created');
});
