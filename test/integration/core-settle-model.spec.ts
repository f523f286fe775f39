import fc from 'fast-check';
import { hasStep, isSubset, NO_STEPS, stepBit, stepsIn, type StepSet } from '#shared/domain/step-set';
import { cancelJob } from '#shared/domain/turn/cancel';
import { JobDraft, type Micros } from '#shared/domain/turn/job-draft';
import { isLimited, type PipelineDefinition } from '#shared/domain/pipeline';
import { FastSettlement, type FastSettle, type FastSettled, type FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { MEASURED, NOW } from '../support/drafts';
import { settleByRules } from '../support/fast-settle-rules';
import { randomPipeline } from '../support/random-pipelines';
import { type Choose, type StoredJob, TurnWalk } from '../support/turn-walk';
import { type CoreStage, newJobId, openStage } from './core-stage';

let stage: CoreStage;
let settlement: FastSettlement;

beforeAll(async () => {
  stage = await openStage();
  settlement = new FastSettlement(await stage.connect(), () => 'me');
});
afterAll(async () => {
  await settlement.close();
  await stage.close();
});

/** Stands for the time of the statement, which only the database knows. */
const THEN: Micros = 1;

/** A turn of that job: mostly one that may be settled, of one step or of several that it ran one after another. */
function turnOf(job: StoredJob, pipeline: StoredPipeline, choose: Choose): FastSettle {
  const { graph, definition } = pipeline;
  const fresh = stepsIn(job.fields.open & ~job.fields.slow);
  const any = stepsIn(graph.all);
  const from = fresh.length > 0 && choose(8) > 0 ? fresh : any;
  const head = from[choose(from.length)] ?? 0;
  const order = [head];
  for (let own = stepBit(head); choose(3) > 0;) {
    const ready = any.filter((idx) => {
      const needs = graph.needs[idx] ?? NO_STEPS;
      return !hasStep(own, idx) && needs !== NO_STEPS && isSubset(needs, own);
    });
    const next = ready[choose(Math.max(1, ready.length))];
    if (next === undefined) break;
    order.push(next);
    own |= stepBit(next);
  }
  const runs = choose(3) === 0;
  const steps = order.map((idx, place): FastStep => {
    const startedAt = NOW + place * 1_000;
    if (runs && place === order.length - 1) return { kind: 'running', idx, startedAt };
    return { ...MEASURED, kind: 'completed', idx, output: { place }, startedAt, finishedAt: startedAt + 500 };
  });
  const free = definition.steps.reduce<StepSet>((set, step, idx) => (isLimited(step) ? set : set | stepBit(idx)), 0n);
  const keepable = [0n, free, graph.all, graph.all, BigInt(choose(64))][choose(5)] ?? 0n;
  return { jobId: job.fields.id, run: job.fields.run - (choose(12) === 0 ? 1 : 0), head, graph, steps, keepable };
}

/** The job after some more unread turns, and perhaps a cancel: states that a walk of all kinds of moves seldom finds. */
function goneOn(job: StoredJob, pipeline: StoredPipeline, choose: Choose): StoredJob {
  let gone: StoredJob = { ...job, fields: { ...job.fields, id: newJobId() } };
  for (let turns = choose(3); turns > 0; turns -= 1) {
    [, gone] = settleByRules(gone, pipeline, turnOf(gone, pipeline, choose), NOW, 'me');
  }
  if (choose(4) > 0) return gone;
  const { fields, rows } = structuredClone(gone);
  cancelJob(new JobDraft(fields, rows, pipeline.definition, pipeline.graph, NOW));
  return { ...gone, fields };
}

const byIndex = (a: { idx: number; number?: number }, b: { idx: number; number?: number }): number =>
  a.idx - b.idx || (a.number ?? 0) - (b.number ?? 0);

const withOutput = (job: StoredJob): StoredJob => ({
  ...job,
  rows: job.rows.map((row) => ({ ...row, output: row.output ?? undefined })).sort(byIndex),
  attempts: job.attempts.toSorted(byIndex),
});

/** The stored job with the time of the statement put back to what stands for it. */
function asModelled(stored: StoredJob, before: StoredJob, statementTime: (micros: Micros) => boolean): StoredJob {
  const mark = (time: Micros | null): Micros | null => (time !== null && statementTime(time) ? THEN : time);
  const { fields, rows, attempts } = stored;
  return withOutput({
    fields: { ...fields, dispatchedAt: mark(fields.dispatchedAt), completedAt: mark(fields.completedAt) },
    rows: rows.map((row) => ({
      ...row,
      startedAt: before.rows.some((old) => old.idx === row.idx && old.startedAt === row.startedAt)
        ? row.startedAt
        : mark(row.startedAt),
    })),
    attempts,
  });
}

describe('a fast settlement, in any state that a job can reach', () => {
  const seen = { stale: 0, settled: 0, several: 0, cancelling: 0, kept: 0, running: 0 };

  async function compare(pipeline: StoredPipeline, jobs: StoredJob[], choose: Choose): Promise<void> {
    for (const job of jobs) await stage.put(pipeline, job);
    const items = jobs.map((job) => turnOf(job, pipeline, choose));
    const [start] = await stage.server.query<{ us: string }>(
      'SELECT (extract(epoch FROM now()) * 1000000)::bigint AS us',
    );
    const results = await Promise.all(items.map((item) => settlement.settle(item)));
    const isThen = (micros: Micros): boolean => micros >= Number(start?.us);
    for (const [index, job] of jobs.entries()) {
      const item = items[index];
      const result = results[index];
      if (!item || !result) throw new Error('unreachable');
      const [expected, after] = settleByRules(job, pipeline, item, THEN, 'me');
      const told =
        result.kind === 'settled' && isThen(result.dispatchedAt) ? { ...result, dispatchedAt: THEN } : result;
      expect(told).toEqual(expected);
      const { versions: _, ...stored } = await stage.read(job.fields.id);
      expect(asModelled(stored, job, isThen)).toEqual(withOutput(after));
      count(item, result);
    }
  }

  function count(item: FastSettle, result: FastSettled): void {
    seen[result.kind] += 1;
    if (result.kind === 'stale') return;
    if (item.steps.length > 1) seen.several += 1;
    if (result.status === 'cancelling') seen.cancelling += 1;
    if (result.kept !== null) seen.kept += 1;
    if (item.steps.at(-1)?.kind === 'running') seen.running += 1;
  }

  it('writes what the pure rules write, one step after another, or nothing', async () => {
    const choices = fc.noBias(fc.array(fc.nat(5_039), { minLength: 600, maxLength: 600 }));
    const tried = fc.asyncProperty(
      randomPipeline({ limited: true, minSteps: 4 }),
      choices,
      async (definition: PipelineDefinition, numbers) => {
        const pipeline = await stage.save(definition);
        let next = 0;
        const choose: Choose = (count) => (numbers[next++ % numbers.length] ?? 0) % count;
        const jobs: StoredJob[] = [];
        while (jobs.length < 32) {
          const walk = new TurnWalk(definition, choose, () => undefined, { jobCount: 2 });
          for (let move = choose(3) * choose(12); move > 0; move -= 1) walk.move();
          for (const job of walk.jobs) jobs.push(goneOn(job, pipeline, choose));
        }
        await compare(pipeline, jobs, choose);
      },
    );
    await fc.assert(tried, { numRuns: 25 });
  }, 60_000);

  it('went through all kinds of turns', () => {
    expect(Object.entries(seen).filter(([, times]) => times < 5)).toEqual([]);
  });
});
