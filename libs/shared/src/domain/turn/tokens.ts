import { isLimited, type StepDefinition } from '#shared/domain/pipeline';
import type { JobDraft, Pools, StepRow } from '#shared/domain/turn/job-draft';

/** A number of tokens of one pool. */
export interface TokenNeed {
  readonly pool: string;
  readonly count: number;
  /** The pool's size where the step itself says it; null: the pool is configured elsewhere. */
  readonly max: number | null;
}

/** What an attempt of the step must hold: one token of its own limit, and those of the named resources. */
export function tokensOf(pipelineName: string, step: StepDefinition): TokenNeed[] {
  const needs: TokenNeed[] = Object.entries(step.resources).map(([name, count]) => ({
    pool: `resource:${name}`,
    count,
    max: null,
  }));
  if (step.concurrency !== null) {
    needs.push({ pool: `step:${pipelineName}/${step.name}`, count: 1, max: step.concurrency });
  }
  return needs;
}

/** Takes all tokens that the step needs, or none. @returns the first pool that has no room; null: it has them now */
export function takeTokens(draft: JobDraft, row: StepRow, pools: Pools): string | null {
  const step = draft.step(row.idx);
  if (row.held || !isLimited(step)) return null;
  const needs = tokensOf(draft.pipeline.name, step);
  const short = needs.find((need) => {
    const pool = pools.get(need.pool);
    return pool === undefined || pool.used + need.count > pool.max;
  });
  if (short) return short.pool;
  for (const need of needs) adjust(pools, need.pool, need.count);
  row.held = true;
  return null;
}

/** Gives back what the step holds. Called by every move out of `running` but that of a crash, whose next owner inherits. */
export function returnTokens(draft: JobDraft, row: StepRow, pools: Pools): void {
  if (!row.held) return;
  for (const need of tokensOf(draft.pipeline.name, draft.step(row.idx))) adjust(pools, need.pool, -need.count);
  row.held = false;
}

function adjust(pools: Pools, name: string, by: number): void {
  const pool = pools.get(name);
  if (!pool) throw new Error(`token pool ${name} was not locked by this transaction`);
  pool.used = Math.max(0, pool.used + by);
}
