import { type PipelineDefinition, pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { stepSetOf, type StepSet } from '#shared/domain/step-set';
import type { AttemptKey, AttemptResult, Measured } from '#shared/domain/turn/end-attempt';
import { type JobHold, noHold } from '#shared/domain/turn/job-hold';
import { JobDraft, type JobFields, type Micros, newRow, type Pools, type StepRow } from '#shared/domain/turn/job-draft';

/** A database time for pure tests: whole milliseconds, so that it survives every form of a timestamp. */
export const NOW: Micros = Date.UTC(2026, 0, 2, 3, 4, 5) * 1_000;
export const SECOND = 1_000_000;
export const JOB_ID = '0190a0b0-0000-7000-8000-000000000001';

/** A step's definition with defaults that limit nothing. */
export function stepNamed(name: string, over: Partial<StepDefinition> = {}): StepDefinition {
  return {
    name,
    uses: 'noop',
    needs: [],
    queue: 'default',
    max_retries: 2,
    back_off: { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 60_000, jitter: 0 },
    timeout_ms: null,
    concurrency: null,
    resources: {},
    isolation: 'inline',
    options: {},
    ...over,
  };
}

export const pipelineOf = (steps: readonly StepDefinition[], name = 'tried'): PipelineDefinition => ({
  name,
  description: '',
  source: 'optional',
  steps,
});

/** `a` → `b` → `c`: each needs the one before. */
export const CHAIN = pipelineOf([stepNamed('a'), stepNamed('b', { needs: ['a'] }), stepNamed('c', { needs: ['b'] })]);

/** `a` → `b`, `c` → `d`: the last needs both in the middle. */
export const DIAMOND = pipelineOf([
  stepNamed('a'),
  stepNamed('b', { needs: ['a'] }),
  stepNamed('c', { needs: ['a'] }),
  stepNamed('d', { needs: ['b', 'c'] }),
]);

export interface DraftSettings {
  readonly pipeline?: PipelineDefinition;
  readonly job?: Partial<JobFields>;
  readonly rows?: readonly (Partial<StepRow> & { readonly idx: number })[];
  readonly now?: Micros;
  readonly hold?: Partial<JobHold>;
}

/** A job in the middle of its life: running, its roots handed out. */
export function draftOf({ pipeline = CHAIN, job = {}, rows = [], now = NOW, hold }: DraftSettings = {}): JobDraft {
  const graph = pipelineGraph(pipeline.steps);
  const fields: JobFields = {
    id: JOB_ID,
    priority: 'default',
    run: 1,
    status: 'running',
    done: 0n,
    dead: 0n,
    open: graph.roots,
    slow: 0n,
    version: 1,
    dispatchedAt: NOW - 60 * SECOND,
    startedAt: null,
    completedAt: null,
    ...job,
  };
  const stepRows = rows.map((row) => ({ ...newRow(row.idx), ...row }));
  return new JobDraft(fields, stepRows, pipeline, graph, now, { ...noHold(), ...hold });
}

/** All that a rule may change, as plain values that can be compared. */
export function stateOf(draft: JobDraft): object {
  const { job, rows, attempts, opened, changed, changedRows } = draft;
  return structuredClone({ job, rows: [...rows.values()], attempts, opened, changed, changedRows: [...changedRows] });
}

export const set = (...indices: number[]): StepSet => stepSetOf(indices);

export const poolsOf = (pools: Readonly<Record<string, readonly [used: number, max: number]>>): Pools =>
  new Map(Object.entries(pools).map(([name, [used, max]]) => [name, { used, max }]));

export const MEASURED: Measured = {
  startedAt: NOW - 3 * SECOND,
  finishedAt: NOW - SECOND,
  durationMs: 2_000,
  cpuPercent: 50,
  memoryMb: 128,
};

export const COMPLETED: AttemptResult = { kind: 'completed', output: { found: 3 } };

/** The end of an attempt that failed: retried after `delayMs`, or for good. */
export function failure(delayMs: number | 'final' = 1_000, viaScheduler = false): AttemptResult & { kind: 'failed' } {
  return {
    kind: 'failed',
    outcome: 'failed',
    error: { message: 'no luck', kind: 'transient', code: 'E_LUCK' },
    retry: () => (delayMs === 'final' ? { kind: 'final' } : { kind: 'retry', delayMs, viaScheduler }),
  };
}

export const attemptKey = (over: Partial<AttemptKey> = {}): AttemptKey => ({
  run: 1,
  head: 0,
  idx: 0,
  epoch: 1,
  fast: true,
  worker: 'me',
  ...over,
});
