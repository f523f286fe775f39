import { Client } from 'pg';
import type { NewJob } from '#shared/domain/new-job';
import type { SubmitOutcome } from '#shared/store/jobs/insert-jobs';
import { JobSubmission } from '#shared/store/jobs/job-submission';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { pipelineOf, set, stepNamed } from '../support/drafts';
import { untilWaiting, watched } from './core-connections';
import { type CoreStage, newJobId, openStage } from './core-stage';

let stage: CoreStage;
let submission: JobSubmission;
let pipeline: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  submission = new JobSubmission(await stage.connect());
  const steps = [stepNamed('a'), stepNamed('b'), stepNamed('c', { needs: ['a'] })];
  pipeline = await stage.save(pipelineOf(steps));
});
afterAll(async () => {
  await submission.idle();
  await stage.close();
});

const jobOf = (over: Partial<NewJob> = {}): NewJob => ({
  ...{ id: newJobId(), pipeline: 'tried', pipelineHash: pipeline.hash, allSteps: pipeline.graph.all },
  ...{ roots: pipeline.graph.roots, priority: 'default', source: null, sourceType: null, branch: null, commit: null },
  ...{ input: {}, options: {}, tags: [], description: null, etaSeconds: null, countdown: null },
  ...{ idempotencyKey: null, requestHash: null, dependsOn: [], onDependencyFailure: 'fail', scheduleId: null },
  ...over,
});

type Created = SubmitOutcome & { kind: 'created' };

async function create(over: Partial<NewJob> = {}): Promise<{ id: string; outcome: Created }> {
  const job = jobOf(over);
  const outcome = await submission.submit(job);
  if (outcome.kind !== 'created') throw new Error(`it was ${outcome.kind}`);
  return { id: job.id, outcome };
}

const countOf = async (key: string): Promise<number> =>
  (await stage.server.query<{ n: number }>('SELECT count(*)::int AS n FROM jobs WHERE idempotency_key = $1', [key]))[0]
    ?.n ?? -1;

const databaseSeconds = async (): Promise<number> =>
  (await stage.server.query<{ s: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 AS s'))[0]?.s ?? 0;

describe('a submitted job', () => {
  it('is stored with all that was said of it, its roots handed out', async () => {
    const { id, outcome } = await create({
      ...{ priority: 'high', source: '/data', sourceType: 'local_path', branch: 'main', commit: 'c0ffee' },
      ...{ input: { a: [1, { b: null }] }, options: { a: { depth: 2 } }, tags: ['x', 'y', 'x'], description: 'tried' },
    });
    const { fields, versions, rows } = await stage.read(id);
    expect(fields).toEqual({
      ...{ id, priority: 'high', run: 1, status: 'pending', done: 0n, dead: 0n, open: set(0, 1), slow: 0n, version: 1 },
      ...{ dispatchedAt: outcome.dispatchedAt, startedAt: null, completedAt: null },
    });
    expect(rows).toEqual([]);
    expect(versions).toEqual({ due_at: null, queued_at: versions.created_at, created_at: outcome.createdAt });
    const columns =
      'pipeline_hash, source, source_type, branch, commit, input, options, tags, description, all_steps::int, roots::int';
    expect(await stage.server.query(`SELECT ${columns} FROM jobs WHERE id = $1`, [id])).toEqual([
      {
        ...{
          pipeline_hash: pipeline.hash,
          source: '/data',
          source_type: 'local_path',
          branch: 'main',
          commit: 'c0ffee',
        },
        ...{
          input: { a: [1, { b: null }] },
          options: { a: { depth: 2 } },
          tags: ['x', 'y', 'x'],
          description: 'tried',
        },
        ...{ all_steps: 7, roots: 3 },
      },
    ]);
    expect(outcome).toMatchObject({ status: 'pending', eta: null });
  });

  it.each([
    ['an eta to come', async () => ({ etaSeconds: (await databaseSeconds()) + 3_600 }), 'scheduled'],
    ['an eta gone by', async () => ({ etaSeconds: (await databaseSeconds()) - 0.001 }), 'pending'],
    ['an eta long gone', async () => ({ etaSeconds: 0 }), 'pending'],
    ['a countdown', async () => ({ countdown: 0.5 }), 'scheduled'],
    ['a countdown of nothing', async () => ({ countdown: 0 }), 'pending'],
    ['both, the eta to come', async () => ({ etaSeconds: (await databaseSeconds()) + 60, countdown: 0 }), 'scheduled'],
    ['both, the eta gone by', async () => ({ etaSeconds: (await databaseSeconds()) - 60, countdown: 60 }), 'pending'],
  ] as const)('with %s is held exactly until then', async (_, when, status) => {
    const said = await when();
    const { id, outcome } = await create(said);
    const { fields, versions } = await stage.read(id);
    expect([outcome.status, fields.status]).toEqual([status, status]);
    if (status === 'scheduled') {
      expect(fields).toMatchObject({ open: 0n, dispatchedAt: null });
      expect(versions).toMatchObject({ due_at: outcome.eta, queued_at: null });
      expect(outcome.dispatchedAt).toBeNull();
    } else {
      expect(fields).toMatchObject({ open: set(0, 1), dispatchedAt: outcome.dispatchedAt });
      expect(versions.due_at).toBeNull();
    }
    const eta = 'etaSeconds' in said ? said.etaSeconds : outcome.createdAt.getTime() / 1_000 + said.countdown;
    expect(Math.abs((outcome.eta?.getTime() ?? 0) / 1_000 - eta)).toBeLessThan(0.002);
  });

  it('is held by the clock of the database, whatever this process believes', async () => {
    const etaSeconds = (await databaseSeconds()) + 600;
    for (const skewMs of [-3_600_000, 3_600_000]) {
      const real = Date.now;
      const wrong = jest.spyOn(Date, 'now').mockImplementation(() => real() + skewMs);
      const { outcome } = await create({ etaSeconds });
      const { outcome: soon } = await create({ countdown: 600 });
      wrong.mockRestore();
      expect([outcome.status, soon.status]).toEqual(['scheduled', 'scheduled']);
      const heldSeconds = ((soon.eta?.getTime() ?? 0) - soon.createdAt.getTime()) / 1_000;
      expect(Math.abs(heldSeconds - 600)).toBeLessThan(0.002);
    }
  });

  it('keeps what Postgres would refuse in its input, options and tags', async () => {
    const { id } = await create({
      ...{ input: { 'k\0': 'a\0b', deep: [{ half: '\ud800x' }], kept: '😀' }, options: { a: { o: '\udfff' } } },
      ...{ tags: ['t\0', '\ud83d'] },
    });
    expect(await stage.server.query('SELECT input, options, tags FROM jobs WHERE id = $1', [id])).toEqual([
      {
        ...{
          input: { 'k\ufffd': 'a\ufffdb', deep: [{ half: '\ufffdx' }], kept: '😀' },
          options: { a: { o: '\ufffd' } },
        },
        ...{ tags: ['t\ufffd', '\ufffd'] },
      },
    ]);
  });

  it('that cannot be stored fails alone', async () => {
    const jobs = [jobOf(), jobOf({ description: 'a\0b' }), jobOf({ etaSeconds: 1e300 }), jobOf()];
    const results = await Promise.allSettled(jobs.map((job) => submission.submit(job)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    const stored = await stage.server.query<{ id: string }>('SELECT id FROM jobs WHERE id = ANY ($1) ORDER BY id', [
      jobs.map((job) => job.id),
    ]);
    expect(stored.map(({ id }) => id)).toEqual([jobs[0]?.id, jobs[3]?.id]);
  });

  it('is answered with its own outcome in a crowd', async () => {
    const jobs = Array.from({ length: 1_500 }, (_, index) => jobOf(index % 3 === 0 ? { countdown: 60 } : {}));
    const outcomes = await Promise.all(jobs.map((job) => submission.submit(job)));
    expect(outcomes.map((outcome) => outcome.kind === 'created' && outcome.status)).toEqual(
      jobs.map((_, index) => (index % 3 === 0 ? 'scheduled' : 'pending')),
    );
  });
});

describe('an idempotency key', () => {
  const keyed = (idempotencyKey: string, requestHash = 'same'): NewJob => jobOf({ idempotencyKey, requestHash });

  it('gives the first job back for the same request, and refuses another', async () => {
    const first = keyed('again');
    expect(await submission.submit(first)).toMatchObject({ kind: 'created' });
    expect(await submission.submit(keyed('again'))).toEqual({ kind: 'repeated', jobId: first.id });
    expect(await submission.submit(keyed('again', 'other'))).toEqual({ kind: 'key_taken', jobId: first.id });
    expect(await countOf('again')).toBe(1);
  });

  it('does so within one batch, too: the first in order is stored', async () => {
    const jobs = [keyed('crowd'), keyed('crowd'), keyed('crowd', 'other'), jobOf(), keyed('alone')];
    const outcomes = await Promise.all(jobs.map((job) => submission.submit(job)));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['created', 'repeated', 'key_taken', 'created', 'created']);
    expect(outcomes.slice(1, 3)).toMatchObject([{ jobId: jobs[0]?.id }, { jobId: jobs[0]?.id }]);
  });

  it('gives one job to two submitters at once, again and again', async () => {
    const other = new JobSubmission(await stage.connect(2));
    for (let round = 0; round < 40; round += 1) {
      const key = `race-${round}`;
      const jobs = [keyed(key), keyed(key)] as const;
      const outcomes = await Promise.all([submission.submit(jobs[0]), other.submit(jobs[1])]);
      const winner = outcomes.findIndex((outcome) => outcome.kind === 'created');
      expect(outcomes[1 - winner]).toEqual({ kind: 'repeated', jobId: jobs[winner]?.id });
      expect(await countOf(key)).toBe(1);
    }
    await other.idle();
  });

  it.each(['COMMIT', 'ROLLBACK'])('waits for one who has it and has not yet ended: %s', async (end) => {
    const key = `held-${end}`;
    const owner = new Client({ connectionString: stage.server.url, application_name: 'core-holder' });
    await owner.connect();
    await owner.query('BEGIN');
    const ownId = newJobId();
    await owner.query(
      `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, idempotency_key, request_hash)
       VALUES ($1, 'h', 'p', 'pending', 'default', 1, 1, $2, 'same')`,
      [ownId, key],
    );
    const job = keyed(key);
    const submitted = submission.submit(job);
    await untilWaiting(stage.server, 1);
    await owner.query(end);
    await owner.end();
    expect(await submitted).toMatchObject(
      end === 'COMMIT' ? { kind: 'repeated', jobId: ownId } : { kind: 'created', status: 'pending' },
    );
  });

  it('that is freed between the refusal and the look for its owner is taken, and harms no other of the batch', async () => {
    await submission.submit(keyed('freed'));
    const database = watched(await stage.connect(2), async ({ name }) => {
      if (name === 'find_jobs_by_key')
        await stage.server.query(`DELETE FROM jobs WHERE request_hash = 'same' AND idempotency_key = 'freed'`);
    });
    const late = new JobSubmission(database);
    const jobs = [jobOf(), keyed('freed'), jobOf()];
    const outcomes = await Promise.all(jobs.map((job) => late.submit(job)));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['created', 'created', 'created']);
    expect(await countOf('freed')).toBe(1);
  });
});
