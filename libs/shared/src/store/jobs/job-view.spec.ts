import fc from 'fast-check';
import { jobView, type JobView } from '#shared/contracts/job';
import { type PipelineDefinition, pipelineGraph } from '#shared/domain/pipeline';
import type { JobStatus, StepRowStatus } from '#shared/domain/status';
import { stepSetOf } from '#shared/domain/step-set';
import { type JobRecord, type JobPipeline, jobViewOf, type StepRecord } from '#shared/store/jobs/job-view';

const NOW = new Date('2026-11-23T12:00:10.000Z');

function pipelineOf(steps: Record<string, string[]>): JobPipeline {
  const definition: PipelineDefinition = {
    name: 'p',
    description: '',
    source: 'optional',
    steps: Object.entries(steps).map(([name, needs]) => ({
      ...{ name, needs, uses: 'noop', queue: 'default', max_retries: 3, timeout_ms: null, concurrency: null },
      back_off: { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 300_000, jitter: 0 },
      resources: {},
      isolation: 'inline',
      options: {},
    })),
  };
  return { definition, graph: pipelineGraph(definition.steps) };
}

/** a → b → d, a → c → d, and e apart. */
const DIAMOND = pipelineOf({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: [] });
const [A, B, C, D, E] = [0, 1, 2, 3, 4];

function job(status: JobStatus, masks: { done?: number[]; dead?: number[]; open?: number[] } = {}): JobRecord {
  return {
    ...{ depends_on: null, on_dependency_failure: null, schedule_id: null, error: null },
    ...{
      id: '0193-id',
      pipeline: 'p',
      pipeline_hash: 'h',
      source: null,
      source_type: null,
      branch: null,
      commit: null,
    },
    ...{ input: {}, status, priority: 'default', version: 7, eta: null, countdown: null, tags: ['t'] },
    ...{ description: null, idempotency_key: null, queued_at: null, started_at: null, completed_at: null },
    created_at: new Date('2026-11-23T12:00:00.123Z'),
    done: stepSetOf(masks.done ?? []),
    dead: stepSetOf(masks.dead ?? []),
    open: stepSetOf(masks.open ?? []),
  };
}

function row(idx: number, status: StepRowStatus, more: Partial<StepRecord> = {}): StepRecord {
  return {
    ...{ idx, status, attempts: 0, worker: null, retry_count: 0, next_retry_at: null, progress: null, message: null },
    ...{ started_at: null, completed_at: null, duration_ms: null, cpu_percent: null, memory_mb: null },
    ...{ last_error: null, output: null },
    ...more,
  };
}

const view = (record: JobRecord, rows: StepRecord[] = [], pipeline = DIAMOND): JobView =>
  jobViewOf(record, rows, pipeline, NOW);
const statuses = (shown: JobView): string => shown.steps.map((step) => step.status).join(' ');

describe("a step's status", () => {
  it.each<[string, JobRecord, StepRecord[], string]>([
    ['held', job('scheduled'), [], 'pending pending pending pending pending'],
    ['waiting', job('waiting'), [], 'pending pending pending pending pending'],
    ['opened', job('pending', { open: [A, E] }), [], 'queued pending pending pending queued'],
    [
      'under way',
      job('running', { done: [A], open: [B, C, E] }),
      [row(A, 'completed'), row(B, 'running'), row(E, 'retrying')],
      'completed running queued pending retrying',
    ],
    [
      'waiting for a token or handed back',
      job('running', { done: [A], open: [B, C] }),
      [row(A, 'completed'), row(B, 'parked'), row(C, 'queued')],
      'completed queued queued pending pending',
    ],
    [
      'after a failure, another branch at work',
      job('running', { done: [A], dead: [B, D], open: [C, E] }),
      [row(A, 'completed'), row(B, 'failed'), row(C, 'running')],
      'completed failed running skipped queued',
    ],
    [
      'failed',
      job('failed', { done: [A, C, E], dead: [B, D] }),
      [row(A, 'completed'), row(B, 'failed'), row(C, 'completed'), row(E, 'completed')],
      'completed failed completed skipped completed',
    ],
    [
      'failed again in a rerun, whose rows still wait',
      job('failed', { done: [A, C, E], dead: [B, D] }),
      [row(A, 'completed'), row(B, 'failed'), row(C, 'completed'), row(D, 'queued'), row(E, 'completed')],
      'completed failed completed skipped completed',
    ],
    [
      'failed at once',
      job('failed', { done: [E], dead: [A, B, C, D] }),
      [row(A, 'failed'), row(E, 'completed')],
      'failed skipped skipped skipped completed',
    ],
    ['cancelled before it began', job('cancelled', { dead: [A, B, C, D, E] }), [], 'cancelled '.repeat(5).trim()],
    [
      'winding down',
      job('cancelling', { done: [A], open: [B, C] }),
      [row(A, 'completed'), row(B, 'running')],
      'completed running queued pending pending',
    ],
    [
      'cancelled on its way',
      job('cancelled', { done: [A], dead: [B, C, D, E] }),
      [row(A, 'completed'), row(B, 'cancelled')],
      'completed cancelled cancelled cancelled cancelled',
    ],
    [
      'cancelled after a failure',
      job('cancelled', { done: [A], dead: [B, C, D, E] }),
      [row(A, 'completed'), row(B, 'failed'), row(C, 'cancelled')],
      'completed failed cancelled skipped cancelled',
    ],
    [
      'tried again from its failed step',
      job('pending', { done: [A, C], open: [B] }),
      [row(A, 'completed'), row(B, 'queued'), row(C, 'completed'), row(D, 'queued')],
      'completed queued completed pending pending',
    ],
    [
      'completed',
      job('completed', { done: [A, B, C, D, E] }),
      [A, B, C, D, E].map((idx) => row(idx, 'completed')),
      'completed '.repeat(5).trim(),
    ],
  ])('of a job that is %s', (_, record, rows, expected) => {
    const shown = view(record, rows);
    expect(statuses(shown)).toBe(expected);
    expect(jobView.parse(shown)).toEqual(shown);
  });
});

describe('progress', () => {
  it('is the share of completed steps and of what running ones report', () => {
    const record = job('running', { done: [A], open: [B, C] });
    expect(view(record, [row(A, 'completed')]).progress).toBe(20);
    expect(view(record, [row(A, 'completed'), row(B, 'running', { progress: 50 })]).progress).toBe(30);
    expect(view(record, [row(B, 'running', { progress: 33.3 }), row(C, 'running', { progress: 33.3 })]).progress).toBe(
      33.3,
    );
  });

  it('is 0 before anything has begun and 100 once it is completed', () => {
    expect(view(job('scheduled')).progress).toBe(0);
    expect(view(job('completed', { done: [A, B, C, D, E] })).progress).toBe(100);
  });

  it('keeps what a step reported before it went into back-off, was handed back or failed', () => {
    const record = job('running', { done: [A], open: [B] });
    for (const status of ['running', 'retrying', 'queued', 'failed'] as const) {
      expect(view(record, [row(B, status, { progress: 50 })]).progress).toBe(30);
    }
  });

  it('never falls while steps complete and reports rise', () => {
    const moves = fc.array(fc.record({ idx: fc.integer({ min: 0, max: 4 }), by: fc.integer({ min: 0, max: 60 }) }));
    fc.assert(
      fc.property(moves, (all) => {
        const reported = new Map<number, number>();
        const done = new Set<number>();
        let before = 0;
        for (const { idx, by } of all) {
          if (by > 50) done.add(idx);
          else reported.set(idx, Math.min(100, (reported.get(idx) ?? 0) + by));
          const rows = [...reported].map(([step, progress]) => row(step, 'running', { progress }));
          const { progress } = view(job('running', { done: [...done] }), rows);
          expect(progress).toBeGreaterThanOrEqual(before);
          expect(progress).toBeLessThanOrEqual(100);
          before = progress;
        }
      }),
    );
  });
});

describe('figures of a step', () => {
  it('count the attempt that runs', () => {
    const started_at = '2026-11-23T12:00:08.500+00:00';
    const running = row(A, 'running', { attempts: 2, retry_count: 2, started_at, duration_ms: 77, worker: 'w1' });
    expect(view(job('running', { open: [A] }), [running]).steps[A]).toMatchObject({
      attempt: 3,
      retry_count: 2,
      started_at: '2026-11-23T12:00:08.500Z',
      duration_ms: 1_500,
      worker: 'w1',
      output: null,
    });
  });

  it('say when the next attempt is due only while it waits for it', () => {
    const next_retry_at = '2026-11-23T12:01:00+00:00';
    const record = job('running', { open: [A] });
    expect(view(record, [row(A, 'retrying', { attempts: 1, next_retry_at })]).steps[A]).toMatchObject({
      attempt: 1,
      next_retry_at: '2026-11-23T12:01:00.000Z',
    });
    expect(view(record, [row(A, 'running', { attempts: 1, next_retry_at })]).steps[A]?.next_retry_at).toBeNull();
  });

  it('hide the output of an earlier run', () => {
    const again = row(A, 'queued', { attempts: 1, output: { old: true } });
    expect(view(job('pending', { open: [A] }), [again]).steps[A]?.output).toBeNull();
  });

  it('give a completed step without output an empty one', () => {
    expect(view(job('running', { done: [A] }), [row(A, 'completed')]).steps[A]?.output).toEqual({});
  });
});

describe('a job', () => {
  const error = (at: string, attempt: number) => ({ message: at, kind: 'transient', code: null, at, attempt }) as const;

  it('sums the retries and shows the newest error', () => {
    const older = error('2026-11-23T12:00:01.000Z', 1);
    const newer = error('2026-11-23T12:00:02.000Z', 2);
    const shown = view(job('running', { done: [A], open: [B, C] }), [
      row(A, 'completed', { retry_count: 2, last_error: newer }),
      row(B, 'retrying', { retry_count: 1, last_error: older }),
      row(C, 'running'),
    ]);
    expect(shown).toMatchObject({ retry_count: 3, last_error: newer, current_steps: ['b', 'c'] });
  });

  it("has the leaves' outputs as its result once it is completed, none before", () => {
    const rows = [A, B, C, D, E].map((idx) => row(idx, 'completed', { output: { idx } }));
    expect(view(job('completed', { done: [A, B, C, D, E] }), rows).result).toEqual({ d: { idx: D }, e: { idx: E } });
    expect(view(job('running', { done: [A, B, C, D] }), rows.slice(0, 4)).result).toBeNull();
    expect(view(job('failed', { done: [A, B, C, E], dead: [D] }), rows.slice(0, 4)).result).toBeNull();
  });

  it.each<[JobStatus, string | null, string | null, number | null]>([
    ['pending', null, null, null],
    ['running', '2026-11-23T12:00:08Z', null, 2_000],
    ['completed', '2026-11-23T12:00:08Z', '2026-11-23T12:00:09Z', 1_000],
    ['cancelled', null, '2026-11-23T12:00:09Z', null],
    ['running', '2026-11-23T12:00:11Z', null, 0],
  ])('%s, started %s, completed %s, took %s ms', (status, started, completed, expected) => {
    const record = {
      ...job(status),
      started_at: started === null ? null : new Date(started),
      completed_at: completed === null ? null : new Date(completed),
    };
    expect(view(record).duration_ms).toBe(expected);
  });

  it('shows times in UTC with milliseconds', () => {
    const shown = view({ ...job('scheduled'), eta: new Date('2027-01-01T00:00:00Z'), countdown: 5 });
    expect(shown).toMatchObject({
      created_at: '2026-11-23T12:00:00.123Z',
      eta: '2027-01-01T00:00:00.000Z',
      countdown: 5,
      depends_on: [],
    });
  });
});
