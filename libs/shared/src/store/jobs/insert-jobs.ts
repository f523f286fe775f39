import type { PoolClient } from 'pg';
import { storableJsonText } from '#shared/domain/json';
import type { NewJob } from '#shared/domain/new-job';
import type { JobStatus } from '#shared/domain/status';
import { guardHolds } from '#shared/runtime/failpoints';
import { execute, type NamedStatement } from '#shared/store/database';
import { attachDependencies, type Attached, lockNeededJobs } from '#shared/store/jobs/dependency-writes';

/** What became of a submitted job. */
export type SubmitOutcome =
  | {
      readonly kind: 'created';
      readonly status: JobStatus;
      /** Microseconds since 1970 by the database's clock; null while the job is held. */
      readonly dispatchedAt: number | null;
      readonly createdAt: Date;
      readonly eta: Date | null;
    }
  /** The same request with the same key was stored before. */
  | { readonly kind: 'repeated'; readonly jobId: string }
  /** Another request was stored with that key. */
  | { readonly kind: 'key_taken'; readonly jobId: string }
  /** There are no jobs of these ids, which it is to wait for. */
  | { readonly kind: 'unknown_dependencies'; readonly jobIds: readonly string[] };

interface InsertedRow {
  readonly id: string;
  readonly status: JobStatus;
  readonly dispatched_us: string | null;
  readonly created_at: Date;
  readonly eta: Date | null;
}

/**
 * Held when its eta is still to come by the database's clock; `due_at` alone says when to release it. After that, or at
 * once, it waits for the jobs that it needs. Of two with the same key in one statement the first one is stored.
 */
const INSERT_JOBS: NamedStatement = {
  name: 'insert_jobs',
  text: `
WITH new AS (
  SELECT u.*, CASE WHEN u.eta_s IS NOT NULL THEN to_timestamp(u.eta_s)
                   WHEN u.countdown IS NOT NULL THEN now() + u.countdown * interval '1 second' END AS eta
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::jsonb[], $12::jsonb[], $13::jsonb[], $14::text[], $15::float8[],
              $16::float8[], $17::text[], $18::text[], $19::int[], $20::jsonb[], $21::text[], $22::uuid[])
    AS u (id, pipeline, pipeline_hash, all_steps, roots, priority, source, source_type, branch, commit, input, options,
          tags, description, eta_s, countdown, idempotency_key, request_hash, needs_jobs, depends_on,
          on_dependency_failure, schedule_id)
), begun AS (
  SELECT *, eta > now() IS TRUE AS is_held, eta > now() IS NOT TRUE AND needs_jobs = 0 AS is_ready FROM new
)
INSERT INTO jobs (id, pipeline, pipeline_hash, all_steps, roots, priority, source, source_type, branch, commit, input,
                  options, tags, description, eta, countdown, idempotency_key, request_hash, needs_jobs, depends_on,
                  on_dependency_failure, schedule_id, status, open, due_at, dispatched_at, queued_at)
SELECT id, pipeline, pipeline_hash, all_steps, roots, priority, source, source_type, branch, commit, input,
       options, ARRAY(SELECT jsonb_array_elements_text(tags)), description, eta, countdown, idempotency_key,
       request_hash, needs_jobs,
       CASE WHEN depends_on IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(depends_on))::uuid[] END,
       on_dependency_failure, schedule_id,
       CASE WHEN is_held THEN 'scheduled' WHEN is_ready THEN 'pending' ELSE 'waiting' END,
       CASE WHEN is_ready THEN roots ELSE 0 END,
       CASE WHEN is_held THEN eta END,
       CASE WHEN is_ready THEN now() END,
       CASE WHEN is_ready THEN now() END
FROM begun
ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id, status, (extract(epoch FROM dispatched_at) * 1000000)::bigint AS dispatched_us, created_at, eta`,
};

const FIND_BY_KEY: NamedStatement = {
  name: 'find_jobs_by_key',
  text: 'SELECT id, idempotency_key, request_hash FROM jobs WHERE idempotency_key = ANY ($1::text[])',
};

interface OwnerRow {
  readonly id: string;
  readonly idempotency_key: string;
  readonly request_hash: string | null;
}

const MOST_TRIES = 5;

/** Whether some of them wait for others: these are inserted in a transaction of several statements. */
export const needTransaction = (jobs: readonly NewJob[]): boolean => jobs.some((job) => job.dependsOn.length > 0);

/**
 * Inserts new jobs. Where some depend on others, the caller has begun a transaction.
 * @returns what became of each, by id
 */
export async function insertJobs(client: PoolClient, jobs: readonly NewJob[]): Promise<Map<string, SubmitOutcome>> {
  const outcomes = new Map<string, SubmitOutcome>();
  const needed = await lockNeededJobs(client, jobs);
  const attached = new Map(jobs.map((job) => [job.id, needed.attach(job)]));
  for (const job of jobs) {
    const jobIds = attached.get(job.id)?.unknown ?? [];
    if (jobIds.length > 0) outcomes.set(job.id, { kind: 'unknown_dependencies', jobIds });
  }
  const created: Attached[] = [];
  // A job that has a key and yet no owner of it met one that was deleted between the two statements: the key is free.
  for (let tries = 0; tries < MOST_TRIES && outcomes.size < jobs.length; tries += 1) {
    const left = jobs.filter((job) => !outcomes.has(job.id));
    const needs = left.map((job) => attached.get(job.id)?.unsettled ?? 0);
    for (const row of await execute<InsertedRow>(client, INSERT_JOBS, columnsOf(left, needs))) {
      outcomes.set(row.id, createdOf(row));
      const dependencies = attached.get(row.id);
      if (dependencies && dependencies.rows.length > 0) created.push(dependencies);
    }
    const refused = left.filter((job) => !outcomes.has(job.id));
    if (refused.length > 0) await addOwners(client, refused, outcomes);
  }
  await attachDependencies(client, created);
  return outcomes;
}

async function addOwners(client: PoolClient, refused: NewJob[], outcomes: Map<string, SubmitOutcome>): Promise<void> {
  const rows = await execute<OwnerRow>(client, FIND_BY_KEY, [refused.map((job) => job.idempotencyKey)]);
  const owners = new Map(rows.map((row) => [row.idempotency_key, row]));
  for (const job of refused) {
    const owner = owners.get(job.idempotencyKey ?? '');
    if (!owner) continue;
    const kind = owner.request_hash === job.requestHash ? 'repeated' : 'key_taken';
    outcomes.set(job.id, { kind, jobId: owner.id });
  }
}

function createdOf(row: InsertedRow): SubmitOutcome {
  return {
    kind: 'created',
    status: row.status,
    dispatchedAt: row.dispatched_us === null ? null : Number(row.dispatched_us),
    createdAt: row.created_at,
    eta: row.eta,
  };
}

/** @param needs how many jobs each has to wait for */
function columnsOf(jobs: readonly NewJob[], needs: readonly number[]): unknown[] {
  return [
    jobs.map((job) => job.id),
    jobs.map((job) => job.pipeline),
    jobs.map((job) => job.pipelineHash),
    jobs.map((job) => job.allSteps.toString()),
    jobs.map((job) => job.roots.toString()),
    jobs.map((job) => job.priority),
    jobs.map((job) => job.source),
    jobs.map((job) => job.sourceType),
    jobs.map((job) => job.branch),
    jobs.map((job) => job.commit),
    jobs.map((job) => storableJsonText(job.input)),
    jobs.map((job) => storableJsonText(job.options)),
    jobs.map((job) => storableJsonText(job.tags)),
    jobs.map((job) => job.description),
    jobs.map((job) => etaSecondsOf(job)),
    jobs.map((job) => job.countdown),
    jobs.map((job) => (guardHolds('store.keys_are_kept') ? job.idempotencyKey : null)),
    jobs.map((job) => job.requestHash),
    needs,
    jobs.map((job) => (job.dependsOn.length > 0 ? JSON.stringify(job.dependsOn) : null)),
    jobs.map((job) => (job.dependsOn.length > 0 ? job.onDependencyFailure : null)),
    jobs.map((job) => job.scheduleId),
  ];
}

/** A countdown is for the database to count; without the guard it has no part in it. */
const etaSecondsOf = ({ etaSeconds, countdown }: NewJob): number | null =>
  countdown === null || guardHolds('gateway.database_time') ? etaSeconds : Date.now() / 1_000 + countdown;
