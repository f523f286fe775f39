import type { JobFields, StepRow } from '#shared/domain/turn/job-draft';
import { JOB_STATUSES, type JobStatus } from '#shared/domain/status';
import { FastSettlement, type FastSettle, type FastSettled, type FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN, DIAMOND, MEASURED, NOW, pipelineOf, SECOND, set, stepNamed } from '../support/drafts';
import { type CoreStage, type JobToPut, newJobId, openStage } from './core-stage';

let stage: CoreStage;
let settlement: FastSettlement;
let chain: StoredPipeline;
let diamond: StoredPipeline;
/** `x` and `y` need nothing, `z` needs both. */
let fork: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  settlement = new FastSettlement(await stage.connect(), () => 'me');
  chain = await stage.save(CHAIN);
  diamond = await stage.save(DIAMOND);
  fork = await stage.save(pipelineOf([stepNamed('x'), stepNamed('y'), stepNamed('z', { needs: ['x', 'y'] })]));
});
afterAll(async () => {
  await settlement.close();
  await stage.close();
});

const completed = (idx: number, output = { of: idx }): FastStep => ({ kind: 'completed', idx, output, ...MEASURED });
const running = (idx: number): FastStep => ({ kind: 'running', idx, startedAt: MEASURED.startedAt });

function turn(jobId: string, pipeline: StoredPipeline, steps: FastStep[], over: Partial<FastSettle> = {}): FastSettle {
  return { jobId, run: 1, head: 0, graph: pipeline.graph, steps, keepable: 0n, ...over };
}

/** Settles, and holds the tables to be what they were, to the last column. */
async function expectStale(item: FastSettle): Promise<void> {
  const before = await stage.dump();
  expect(await settlement.settle(item)).toEqual({ kind: 'stale' });
  expect(await stage.dump()).toEqual(before);
}

async function expectSettled(item: FastSettle): Promise<FastSettled & { kind: 'settled' }> {
  const result = await settlement.settle(item);
  if (result.kind !== 'settled') throw new Error('it was stale');
  return result;
}

const LIVE: readonly JobStatus[] = ['pending', 'running', 'cancelling'];

describe('the guards of a fast settlement', () => {
  it.each(JOB_STATUSES)('let a turn write in a job that is %s only if that is live', async (status) => {
    for (const steps of [[completed(0)], [running(0)], [completed(0), running(1)], [completed(0), completed(1)]]) {
      const id = await stage.put(chain, { fields: { status } });
      if (LIVE.includes(status)) await expectSettled(turn(id, chain, steps));
      else await expectStale(turn(id, chain, steps));
    }
  });

  const violations: [string, Partial<JobFields>][] = [
    ['another run', { run: 2 }],
    ['a step that is done', { done: set(0) }],
    ['a step that is done and yet open', { done: set(0), open: set(0) }],
    ['a step that is dead', { dead: set(0) }],
    ['a step that somebody claimed, failed or handed back', { slow: set(0) }],
    ['a step that is not open', { open: 0n }],
    ['a step that is not open while another is', { open: set(1) }],
  ];

  describe.each(LIVE)('of a job that is %s', (status) => {
    it.each(violations)('stop a turn for %s', async (_, broken) => {
      for (const steps of [[completed(0)], [running(0)], [completed(0), completed(1)], [completed(0), running(1)]]) {
        const id = await stage.put(chain, { fields: { status, ...broken } });
        await expectStale(turn(id, chain, steps, { keepable: chain.graph.all }));
      }
    });

    it.each([
      ['is done', { done: set(1) }],
      ['is dead', { dead: set(1) }],
      ['was claimed by another', { slow: set(1) }],
    ])('stop all of a turn when a later step of it %s', async (_, broken) => {
      for (const steps of [
        [completed(0), completed(1)],
        [completed(0), running(1)],
        [completed(0), completed(1), completed(2)],
        [completed(0), completed(1), running(2)],
      ]) {
        const id = await stage.put(chain, { fields: { status, ...broken } });
        await expectStale(turn(id, chain, steps));
      }
    });

    it('stop all of a turn when one of two steps that it found open is not', async () => {
      for (const [open, steps] of [
        [set(0), [completed(0), completed(1)]],
        [set(1), [completed(0), completed(1)]],
        [set(0), [completed(0), running(1)]],
        [set(1), [completed(1), completed(0), running(2)]],
      ] as const) {
        const id = await stage.put(fork, { fields: { status, open } });
        await expectStale(turn(id, fork, [...steps]));
      }
    });
  });

  it('stop a turn for the run before and for one to come', async () => {
    const id = await stage.put(chain, { fields: { run: 2 } });
    await expectStale(turn(id, chain, [completed(0)], { run: 1 }));
    await expectStale(turn(id, chain, [completed(0)], { run: 3 }));
  });

  it('stop a turn whose job is gone', async () => {
    await expectStale(turn(newJobId(), chain, [completed(0)]));
  });

  it('stop the same settlement when it is told again', async () => {
    const id = await stage.put(chain);
    await expectSettled(turn(id, chain, [completed(0)]));
    await expectStale(turn(id, chain, [completed(0)]));
  });
});

describe('a fast settlement', () => {
  const begun: Partial<StepRow> = { status: 'running', worker: 'me', turn: 0, startedAt: NOW - 30 * SECOND };

  it('records the step and its attempt, opens what is ready, begins the job', async () => {
    const id = await stage.put(chain, { fields: { status: 'pending', version: 4 } });
    const result = await expectSettled(turn(id, chain, [completed(0)]));
    const { fields, rows, attempts } = await stage.read(id);
    expect(result).toEqual({
      ...{ kind: 'settled', status: 'running', statusBefore: 'pending', version: 5, opened: set(1), kept: null },
      dispatchedAt: fields.dispatchedAt,
    });
    expect(fields).toMatchObject({
      ...{ status: 'running', done: set(0), dead: 0n, open: set(1), slow: 0n, run: 1, version: 5 },
      ...{ startedAt: MEASURED.startedAt, completedAt: null },
    });
    expect(fields.dispatchedAt).toBeGreaterThan(NOW);
    const { startedAt, finishedAt, durationMs, cpuPercent, memoryMb } = MEASURED;
    expect(rows).toEqual([
      {
        ...{ idx: 0, status: 'completed', epoch: 1, attempts: 1, worker: 'me', turn: 0, retryCount: 0, crashes: 0 },
        ...{ nextRetryAt: null, awaitsScheduler: false, held: false, waitsFor: null, startedAt },
        ...{ completedAt: finishedAt, durationMs },
        ...{ cpuPercent, memoryMb, lastError: null, output: { of: 0 } },
      },
    ]);
    expect(attempts).toEqual([
      {
        ...{ idx: 0, epoch: 1, number: 1, worker: 'me', outcome: 'completed', startedAt, finishedAt, durationMs },
        ...{ cpuPercent, memoryMb, error: null, nextDelayMs: null },
      },
    ]);
  });

  it('keeps the times of a job that has begun and has nothing new to hand out', async () => {
    const id = await stage.put(diamond, { fields: { done: set(0), open: set(1, 2), startedAt: NOW - SECOND } });
    const result = await expectSettled(turn(id, diamond, [completed(1)], { head: 1 }));
    expect(result).toMatchObject({ opened: 0n, kept: null, status: 'running', dispatchedAt: NOW });
    expect((await stage.read(id)).fields).toMatchObject({ dispatchedAt: NOW, startedAt: NOW - SECOND, open: set(2) });
  });

  it('ends a job with its last step: completed, or failed when a branch is dead', async () => {
    const good = await stage.put(chain, { fields: { done: set(0, 1), open: set(2) } });
    const bad = await stage.put(diamond, { fields: { done: set(0), open: set(2), dead: set(1, 3) } });
    expect(await expectSettled(turn(good, chain, [completed(2)], { head: 2 }))).toMatchObject({ status: 'completed' });
    expect(await expectSettled(turn(bad, diamond, [completed(2)], { head: 2 }))).toMatchObject({ status: 'failed' });
    for (const [id, done] of [
      [good, set(0, 1, 2)],
      [bad, set(0, 2)],
    ] as const) {
      const { fields } = await stage.read(id);
      expect(fields).toMatchObject({ open: 0n, done });
      expect(fields.completedAt).toBeGreaterThan(NOW);
    }
  });

  it('completes a pending job in one go, the whole turn at once', async () => {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    const result = await expectSettled(
      turn(
        id,
        chain,
        [0, 1, 2].map((idx) => completed(idx)),
      ),
    );
    expect(result).toMatchObject({ status: 'completed', statusBefore: 'pending', opened: 0n, kept: null });
    const { fields, rows, attempts } = await stage.read(id);
    expect(fields).toMatchObject({ done: set(0, 1, 2), open: 0n, startedAt: MEASURED.startedAt, dispatchedAt: NOW });
    expect(rows.map((row) => [row.status, row.turn, row.output])).toEqual(
      [0, 1, 2].map((of) => ['completed', 0, { of }]),
    );
    expect(attempts.map((attempt) => [attempt.idx, attempt.epoch, attempt.number])).toEqual([
      [0, 1, 1],
      [1, 1, 1],
      [2, 1, 1],
    ]);
  });

  it('opens nothing in a job that is being cancelled, keeps none, and completes it only when all is done', async () => {
    const id = await stage.put(chain, { fields: { status: 'cancelling' } });
    const item = turn(id, chain, [completed(0)], { keepable: chain.graph.all });
    expect(await expectSettled(item)).toMatchObject({ status: 'cancelling', opened: 0n, kept: null });
    expect((await stage.read(id)).fields).toMatchObject({ open: 0n, completedAt: null, dispatchedAt: NOW });
    const failing = await stage.put(diamond, {
      fields: { status: 'cancelling', done: set(0), open: set(2), dead: set(1, 3) },
    });
    expect(await expectSettled(turn(failing, diamond, [completed(2)], { head: 2 }))).toMatchObject({
      status: 'cancelling',
    });
    expect((await stage.read(failing)).fields.completedAt).toBeNull();
    const last = await stage.put(chain, { fields: { status: 'cancelling', done: set(0, 1), open: set(2) } });
    expect(await expectSettled(turn(last, chain, [completed(2)], { head: 2 }))).toMatchObject({ status: 'completed' });
  });

  it('keeps the first step that it may, with its row; the others are to be published', async () => {
    const id = await stage.put(diamond);
    const item = turn(id, diamond, [completed(0)], { keepable: set(1, 2, 3) });
    expect(await expectSettled(item)).toMatchObject({ kept: 1, opened: set(2) });
    const { fields, rows } = await stage.read(id);
    expect(fields).toMatchObject({ open: set(1, 2), slow: 0n });
    expect(rows[1]).toMatchObject({
      ...{ idx: 1, status: 'running', worker: 'me', turn: 0, epoch: 1, attempts: 0, startedAt: fields.dispatchedAt },
      ...{ completedAt: null, output: null, held: false },
    });
    const second = await stage.put(diamond);
    expect(await expectSettled(turn(second, diamond, [completed(0)], { keepable: set(2) }))).toMatchObject({
      ...{ kept: 2, opened: set(1) },
    });
  });

  it('settles a kept step by the row that was written for it', async () => {
    const id = await stage.put(chain);
    await expectSettled(turn(id, chain, [completed(0)], { keepable: set(1) }));
    await expectSettled(turn(id, chain, [completed(1)]));
    const { rows, attempts } = await stage.read(id);
    expect(rows.map((row) => [row.status, row.epoch, row.attempts])).toEqual([
      ['completed', 1, 1],
      ['completed', 1, 1],
    ]);
    expect(attempts).toHaveLength(2);
  });

  it('records a step that still runs, and later its end in the same row', async () => {
    const id = await stage.put(chain, { fields: { status: 'pending' } });
    expect(await expectSettled(turn(id, chain, [running(0)]))).toMatchObject({
      ...{ status: 'running', opened: 0n, kept: null, dispatchedAt: NOW },
    });
    const during = await stage.read(id);
    expect(during.fields).toMatchObject({ open: set(0), done: 0n, startedAt: MEASURED.startedAt, slow: 0n });
    expect(during.rows).toMatchObject([{ ...begun, startedAt: MEASURED.startedAt, attempts: 0, output: null }]);
    expect(during.attempts).toEqual([]);
    await expectSettled(turn(id, chain, [completed(0)]));
    const after = await stage.read(id);
    expect(after.rows).toMatchObject([{ status: 'completed', attempts: 1, output: { of: 0 } }]);
    expect(after.attempts).toHaveLength(1);
  });

  it('records what a turn has completed together with what it runs now, which it opened itself', async () => {
    const id = await stage.put(diamond, { fields: { status: 'pending' } });
    const result = await expectSettled(turn(id, diamond, [completed(0), running(2)]));
    expect(result).toMatchObject({ opened: set(1), kept: null, status: 'running' });
    const { fields, rows } = await stage.read(id);
    expect(fields).toMatchObject({ done: set(0), open: set(1, 2) });
    expect(rows).toMatchObject([
      { idx: 0, status: 'completed' },
      { idx: 2, status: 'running', turn: 0, worker: 'me', output: null },
    ]);
  });

  it('does so in a job that is being cancelled too: what runs is said to run', async () => {
    const id = await stage.put(chain, { fields: { status: 'cancelling' } });
    expect(await expectSettled(turn(id, chain, [completed(0), running(1)]))).toMatchObject({ status: 'cancelling' });
    expect((await stage.read(id)).fields).toMatchObject({ done: set(0), open: set(1) });
  });

  it('has no output of a step before it has ended', async () => {
    const id = await stage.put(diamond);
    await expectSettled(turn(id, diamond, [completed(0), running(1)]));
    const query = 'SELECT idx, output IS NULL AS missing FROM steps WHERE job_id = $1 ORDER BY idx';
    expect(await stage.server.query(query, [id])).toEqual([
      { idx: 0, missing: false },
      { idx: 1, missing: true },
    ]);
  });

  it('stores outputs that Postgres would refuse', async () => {
    const id = await stage.put(chain);
    const output = { 'a\0': 'x\ud800y', deep: [{ b: '\0' }], kept: '😀', text: '\\u0000' };
    await settlement.settle(turn(id, chain, [{ kind: 'completed', idx: 0, output, ...MEASURED }]));
    expect((await stage.read(id)).rows[0]?.output).toEqual({
      ...{ 'a\ufffd': 'x\ufffdy', deep: [{ b: '\ufffd' }], kept: '😀', text: '\\u0000' },
    });
  });

  it('names the worker as it is called at the time of the batch', async () => {
    let name = 'before';
    const renamed = new FastSettlement(await stage.connect(1), () => name);
    const id = await stage.put(chain);
    const settled = renamed.settle(turn(id, chain, [completed(0)], { keepable: set(1) }));
    name = 'after';
    await settled;
    await renamed.close();
    expect((await stage.read(id)).rows.map((row) => row.worker)).toEqual(['after', 'after']);
  });
});

describe('a batch of fast settlements', () => {
  it('settles each turn by itself: the stale ones change nothing, the others all', async () => {
    const broken: JobToPut[] = [
      { fields: { slow: set(0) } },
      { fields: { status: 'cancelled', open: 0n } },
      { fields: { run: 2 } },
      { fields: { done: set(0), open: set(1) } },
    ];
    const jobs: { id: string; stale: boolean; pipeline: StoredPipeline }[] = [];
    for (let count = 0; count < 120; count += 1) {
      const stale = count % 3 === 0;
      const pipeline = count % 2 === 0 ? chain : diamond;
      jobs.push({ id: await stage.put(pipeline, stale ? broken[count % broken.length] : {}), stale, pipeline });
    }
    const rows = (lines: string[]): string[] =>
      lines.filter((line) => jobs.some(({ id, stale }) => stale && line.includes(id)));
    const before = rows(await stage.dump());
    const results = await Promise.all(
      jobs.map(({ id, pipeline }, count) => {
        const steps = count % 5 === 0 ? [completed(0), completed(1)] : [completed(0)];
        return settlement.settle(turn(id, pipeline, steps, { keepable: count % 4 === 0 ? pipeline.graph.all : 0n }));
      }),
    );
    expect(results.map((result) => result.kind === 'stale')).toEqual(jobs.map((job) => job.stale));
    expect(rows(await stage.dump())).toEqual(before);
    for (const { id, stale } of jobs.filter((job) => !job.stale).slice(0, 40)) {
      const { fields, rows: steps } = await stage.read(id);
      expect([stale, fields.version, steps[0]?.status]).toEqual([false, 2, 'completed']);
    }
  });

  it('gives each step the output that it had, however many turns and steps there are', async () => {
    const jobs: string[] = [];
    while (jobs.length < 60) jobs.push(await stage.put(chain));
    await Promise.all(
      jobs.map((id, job) => {
        const steps = [0, 1, 2].slice(0, 1 + (job % 3)).map((idx) => ({
          ...{ kind: 'completed' as const, idx, output: { job, idx }, ...MEASURED },
          ...{ durationMs: job * 10 + idx, startedAt: NOW + job * 1_000 + idx },
        }));
        return settlement.settle(turn(id, chain, steps));
      }),
    );
    for (const [job, id] of jobs.entries()) {
      const { rows, attempts } = await stage.read(id);
      const expected = [0, 1, 2].slice(0, 1 + (job % 3));
      expect(rows.map((row) => row.output)).toEqual(expected.map((idx) => ({ job, idx })));
      expect(rows.map((row) => row.durationMs)).toEqual(expected.map((idx) => job * 10 + idx));
      expect(attempts.map((attempt) => attempt.startedAt)).toEqual(expected.map((idx) => NOW + job * 1_000 + idx));
    }
  });

  it('puts two turns of one job into one batch after the other', async () => {
    const id = await stage.put(diamond, { fields: { done: set(0), open: set(1, 2) } });
    const results = await Promise.all([
      settlement.settle(turn(id, diamond, [completed(1)], { head: 1 })),
      settlement.settle(turn(id, diamond, [completed(2)], { head: 2 })),
      settlement.settle(turn(id, diamond, [completed(2)], { head: 2 })),
    ]);
    expect(results).toMatchObject([
      { kind: 'settled', version: 2, opened: 0n },
      { kind: 'settled', version: 3, opened: set(3) },
      { kind: 'stale' },
    ]);
  });

  it('fails the one turn that cannot be written, and no other', async () => {
    const [good, bad] = [await stage.put(chain), await stage.put(chain)];
    const impossible: FastStep = { ...completed(0), startedAt: 1.5 };
    const results = await Promise.allSettled([
      settlement.settle(turn(good, chain, [completed(0)])),
      settlement.settle(turn(bad, chain, [impossible])),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    expect((await stage.read(good)).fields.done).toBe(set(0));
    expect((await stage.read(bad)).rows).toEqual([]);
  });
});
