import type { TestStack } from '../support/stack';
import type { Begin } from './fault-stage';

/** A worker knows the database's time from an answer of the database: to half of what the answer took. */
export const TOLERANCE_MS = 1_000;

export async function databaseMs(stack: TestStack): Promise<number> {
  const [row] = await stack.query<{ ms: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
  if (!row) throw new Error('the database has no time');
  return row.ms;
}

const IN_DATABASE = `
WITH ours AS (SELECT unnest($1::uuid[]) AS id),
     times (name, at) AS (
       SELECT n, t FROM jobs JOIN ours USING (id) CROSS JOIN LATERAL (VALUES
         ('jobs.created_at', created_at), ('jobs.queued_at', queued_at), ('jobs.started_at', started_at),
         ('jobs.completed_at', completed_at), ('jobs.dispatched_at', dispatched_at)) AS v (n, t)
       UNION ALL
       SELECT n, t FROM steps JOIN ours ON id = job_id CROSS JOIN LATERAL (VALUES
         ('steps.started_at', started_at), ('steps.completed_at', completed_at),
         ('steps.last_error.at', (last_error ->> 'at')::timestamptz)) AS v (n, t)
       UNION ALL
       SELECT n, t FROM attempts JOIN ours ON id = job_id CROSS JOIN LATERAL (VALUES
         ('attempts.started_at', started_at), ('attempts.finished_at', finished_at)) AS v (n, t)
       UNION ALL SELECT 'logs.at', at FROM logs JOIN ours ON ours.id = job_id
       UNION ALL SELECT 'dead_letters.created_at', created_at FROM dead_letters d JOIN ours ON ours.id = d.job_id
       UNION ALL SELECT 'workers.lease_until', lease_until FROM workers WHERE lease_until > now()
     )
SELECT name, count(*)::int AS count,
       count(*) FILTER (WHERE at < to_timestamp(($2::float8 - $4) / 1000) OR at > to_timestamp(($3::float8 + $4
         + CASE WHEN name = 'workers.lease_until' THEN 10000 ELSE 0 END) / 1000))::int AS wrong
  FROM times WHERE at IS NOT NULL GROUP BY name ORDER BY name`;

const KINDS = 13;

/**
 * Which recorded times of these jobs are not the database's: all of it happened between two of its times.
 * @throws when a kind of time was not recorded at all: then nothing is shown
 */
export async function wrongTimes(
  stack: TestStack,
  jobs: readonly string[],
  fromMs: number,
  toMs: number,
): Promise<string[]> {
  const rows = await stack.query<{ name: string; wrong: number }>(IN_DATABASE, [jobs, fromMs, toMs, TOLERANCE_MS]);
  if (rows.length !== KINDS) throw new Error(`recorded were only ${rows.map(({ name }) => name).join(', ')}`);
  return rows.filter(({ wrong }) => wrong > 0).map(({ name }) => name);
}

/**
 * What came before its time: a job before its eta, an attempt before the back-off was over.
 * @param begins by the machine's clock: the recorded ones are the database's only as nearly as its answers are quick
 */
export async function wrongWaits(
  stack: TestStack,
  jobs: readonly string[],
  begins: readonly Begin[],
): Promise<string[]> {
  const found = new Set<string>();
  const rows = await stack.query<{
    id: string;
    pipeline: string;
    early: boolean;
    eta_ms: number | null;
    due: number[];
  }>(
    `SELECT id, pipeline, coalesce(queued_at < eta, false) AS early, extract(epoch FROM eta)::float8 * 1000 AS eta_ms,
            ARRAY(SELECT extract(epoch FROM finished_at)::float8 * 1000 + next_delay_ms FROM attempts
                   WHERE job_id = id AND next_delay_ms IS NOT NULL ORDER BY number) AS due
       FROM jobs WHERE id = ANY ($1::uuid[])`,
    [jobs],
  );
  for (const { id, pipeline, early, eta_ms: etaMs, due } of rows) {
    if (early) found.add('jobs.queued_at');
    const begunMs = begins.flatMap(({ job, atMs }) => (job === id ? atMs : [])).sort((a, b) => a - b);
    for (const [nth, notBeforeMs] of [etaMs ?? 0, ...due].entries()) {
      // Whole milliseconds, cut off.
      if ((begunMs[nth] ?? Infinity) < Math.floor(notBeforeMs)) found.add(`begin ${nth + 1} of ${pipeline}`);
    }
  }
  return [...found];
}

/** Jobs whose eta is not what it was to be. */
export async function wrongEtas(stack: TestStack, jobs: readonly string[], etaMs: number): Promise<number> {
  const rows = await stack.query(
    `SELECT FROM jobs WHERE id = ANY ($1::uuid[])
        AND (eta IS NULL OR abs(extract(epoch FROM eta)::float8 * 1000 - $2) > 20000)`,
    [jobs, etaMs],
  );
  return rows.length;
}
