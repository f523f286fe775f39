import type { TestStack } from '../support/stack';

/** A worker knows the database's time from an answer of the database: to half of what the answer took. */
export const TOLERANCE_MS = 1_000;
/** What its clock may gain between two looks at the database's, while it counts a back-off. */
const WAIT_TOLERANCE_MS = 20;

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

/** What came before its time: a job before its eta, an attempt before the back-off was over. */
export async function wrongWaits(stack: TestStack, jobs: readonly string[]): Promise<string[]> {
  const rows = await stack.query<{ name: string }>(
    `SELECT 'jobs.queued_at' AS name FROM jobs WHERE id = ANY ($1::uuid[]) AND queued_at < eta
     UNION
     SELECT 'attempts of ' || pipeline FROM attempts a JOIN jobs ON jobs.id = a.job_id
       JOIN attempts b ON b.job_id = a.job_id AND b.idx = a.idx AND b.number = a.number + 1
      WHERE a.job_id = ANY ($1::uuid[])
        AND b.started_at < a.finished_at + (a.next_delay_ms - $2) * interval '1 millisecond'`,
    [jobs, WAIT_TOLERANCE_MS],
  );
  return rows.map(({ name }) => name);
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
