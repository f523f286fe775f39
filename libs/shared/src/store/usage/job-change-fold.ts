import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { isEnded, type JobStatus } from '#shared/domain/status';
import { JobUsage } from '#shared/domain/usage/job-usage';
import { Sketch } from '#shared/domain/usage/sketch';
import { underRollupLock } from '#shared/store/usage/rollup-lock';
import { minuteOf, readMarks } from '#shared/store/usage/rollup-marks';
import { addRollups, FOLDED, type Rollup } from '#shared/store/usage/rollup-rows';

const AT_ONCE = 5_000;

/** Any order will do: they are summed up. */
const TAKE = `
DELETE FROM job_changes WHERE id = ANY (ARRAY(SELECT id FROM job_changes ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING extract(epoch FROM at)::float8 * 1000 AS at_ms, pipeline, was, became, jobs, duration_ms, wait_ms`;

interface ChangeRow {
  readonly at_ms: number;
  readonly pipeline: string;
  readonly was: JobStatus | null;
  readonly became: JobStatus | null;
  readonly jobs: number;
  readonly duration_ms: readonly number[] | null;
  readonly wait_ms: readonly number[] | null;
}

const COUNT = `
INSERT INTO job_counts (pipeline, status, entered, departed)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (pipeline, status) DO UPDATE
SET entered = job_counts.entered + excluded.entered, departed = job_counts.departed + excluded.departed`;

/** Adds up what the triggers have noted of jobs. */
export class JobChangeFold {
  constructor(private readonly database: DataSource) {}

  /** Takes up to 5,000 notes. @returns whether there may be more */
  async foldSome(): Promise<boolean> {
    // Mostly there are none, and the lock need not be asked for.
    const [some]: unknown[] = await this.database.query('SELECT FROM job_changes LIMIT 1');
    if (some === undefined) return false;
    return underRollupLock(this.database, async (client) => {
      const { rows } = await client.query<ChangeRow>(TAKE, [AT_ONCE]);
      await count(client, rows);
      const { foldedMs } = await readMarks(client);
      await addRollups(client, rollupsOf(rows, foldedMs));
      return rows.length === AT_ONCE;
    });
  }
}

async function count(client: PoolClient, changes: readonly ChangeRow[]): Promise<void> {
  const counts = new Map<string, { pipeline: string; status: string; entered: number; departed: number }>();
  const of = (pipeline: string, status: string): { entered: number; departed: number } => {
    const key = JSON.stringify([pipeline, status]);
    const known = counts.get(key) ?? { pipeline, status, entered: 0, departed: 0 };
    counts.set(key, known);
    return known;
  };
  for (const { pipeline, was, became, jobs } of changes) {
    if (was !== null) of(pipeline, was).departed += jobs;
    if (became !== null) of(pipeline, became).entered += jobs;
  }
  const all = [...counts.values()];
  await client.query(COUNT, [
    all.map(({ pipeline }) => pipeline),
    all.map(({ status }) => status),
    all.map(({ entered }) => entered),
    all.map(({ departed }) => departed),
  ]);
}

/** Jobs that ended and jobs that began, by the minute in which they did. */
function rollupsOf(changes: readonly ChangeRow[], foldedMs: number): Rollup[] {
  return changes.flatMap(({ at_ms, pipeline, was, became, jobs, duration_ms, wait_ms }): Rollup[] => {
    const minuteMs = at_ms < foldedMs ? FOLDED : minuteOf(at_ms);
    const rollups: Rollup[] = [];
    if (became !== null && isEnded(became) && (was === null || !isEnded(was))) {
      const figure = new JobUsage();
      figure.jobs = jobs;
      for (const durationMs of duration_ms ?? []) figure.durationMs.observe(durationMs);
      rollups.push({ kind: 'job', minuteMs, pipeline, name: became, figure });
    }
    if (wait_ms) {
      const figure = new Sketch();
      for (const waitMs of wait_ms) figure.observe(waitMs);
      rollups.push({ kind: 'wait', minuteMs, pipeline, name: '', figure });
    }
    return rollups;
  });
}
