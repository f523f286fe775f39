import type { TestStack } from '../support/stack';
import type { FaultStage } from './fault-stage';

/** What the database and the workers say of jobs that were held for their time. */
export interface HeldVerdict {
  /** Jobs handed out, or begun, before their eta by the database's clock. */
  readonly early: number;
  /** Jobs with steps whose handler was called again. */
  readonly begunAgain: number;
}

/** @param jobs whose workers' clocks are right: they say when each handler was called */
export async function judgeHeld(stage: FaultStage, jobs: readonly string[]): Promise<HeldVerdict> {
  const rows = await stage.stack.query<{ id: string; eta_ms: number; early: boolean }>(
    `SELECT id, extract(epoch FROM eta)::float8 * 1000 AS eta_ms, coalesce(queued_at < eta, false) AS early
       FROM unnest($1::uuid[]) AS id JOIN jobs USING (id)`,
    [jobs],
  );
  const dueMs = new Map(rows.map((row) => [row.id, row.eta_ms]));
  const early = new Set(rows.filter((row) => row.early).map(({ id }) => id));
  const begun = new Set<string>();
  const begunAgain = new Set<string>();
  for (const { job, step, atMs } of stage.begins()) {
    const due = dueMs.get(job);
    if (due === undefined) continue;
    // A line of the log says whole milliseconds, cut off.
    if (atMs < Math.floor(due)) early.add(job);
    const name = `${job}:${step}`;
    if (begun.has(name)) begunAgain.add(job);
    begun.add(name);
  }
  return { early: early.size, begunAgain: begunAgain.size };
}

/** How many of the jobs have the status. */
export async function countIn(stack: TestStack, jobs: readonly string[], status: string): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM unnest($1::uuid[]) AS id JOIN jobs USING (id) WHERE status = $2',
    [jobs, status],
  );
  return row?.count ?? 0;
}

/** Takes held jobs away that no test waits for. */
export async function forgetHeld(stack: TestStack, jobs: readonly string[]): Promise<void> {
  await stack.query(`DELETE FROM jobs WHERE id = ANY ($1::uuid[]) AND status = 'scheduled'`, [jobs]);
}
