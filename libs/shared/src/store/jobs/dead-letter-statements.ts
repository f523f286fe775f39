import type { DeadLetterFilter } from '#shared/contracts/dead-letter';
import type { StepError } from '#shared/domain/turn/job-draft';
import {
  isPlaceTime,
  isUuid,
  jsonBytes,
  type ListPlace,
  MAX_PAGE_BYTES,
  noSuchPlace,
  type PageStatement,
  Parameters,
  placeTime,
} from '#shared/store/jobs/page-statement';
import type { JsonObject } from '#shared/domain/json';

/** A dead letter `d` with what its job `j` was submitted with. */
export const LETTER_COLUMNS = `
d.id, d.job_id, d.idx, d.run, d.pipeline, d.step, d.error, d.fingerprint, d.attempts, d.created_at, j.pipeline_hash,
j.source, j.source_type, j.branch, j.commit, j.input, j.options -> d.step AS options`;

export interface LetterRow {
  readonly id: string;
  readonly job_id: string;
  readonly idx: number;
  readonly run: number;
  readonly pipeline: string;
  readonly step: string;
  readonly error: StepError;
  readonly fingerprint: string;
  readonly attempts: number;
  readonly created_at: Date;
  readonly pipeline_hash: string;
  readonly source: string | null;
  readonly source_type: 'local_path' | 'git_url' | null;
  readonly branch: string | null;
  readonly commit: string | null;
  readonly input: JsonObject;
  readonly options: JsonObject | null;
}

/** By `dead_letters_pkey`. */
export const READ_LETTER = `
SELECT ${LETTER_COLUMNS} FROM dead_letters d JOIN jobs j ON j.id = d.job_id WHERE d.id = $1`;

/**
 * One page, the newest first: by `dead_letters_fingerprint` for one fingerprint, by the unique key for one job, otherwise
 * by `dead_letters_created`. The keys are found first, the rows read after. `found` is the number of keys: more than
 * there are rows means that there is a next page.
 * @throws InvalidInput at `cursor` for a place that is none
 */
export function letterListStatement(filter: DeadLetterFilter, limit: number, after?: ListPlace): PageStatement {
  const parameters = new Parameters();
  const conditions = conditionsOf(filter, parameters);
  if (after) {
    const [at, id] = after;
    if (after.length !== 2 || !isPlaceTime(at) || !isUuid(id)) throw noSuchPlace();
    conditions.push(`(d.created_at, d.id) < (${parameters.add(at)}::timestamptz, ${parameters.add(id)}::uuid)`);
  }
  const text = `
WITH keys AS MATERIALIZED (
  SELECT d.id, d.created_at FROM dead_letters d WHERE ${allOf(conditions)}
  ORDER BY d.created_at DESC, d.id DESC LIMIT ${limit + 1}
), sized AS MATERIALIZED (
  SELECT keys.*, row_number() OVER w AS row, sum(size.bytes) OVER w - size.bytes AS bytes_before
  FROM keys CROSS JOIN LATERAL (
    SELECT ${jsonBytes('j.input')} + ${jsonBytes('j.options')} + ${jsonBytes('d.error')} AS bytes
    FROM dead_letters d JOIN jobs j ON j.id = d.job_id WHERE d.id = keys.id) size
  WINDOW w AS (ORDER BY created_at DESC, id DESC ROWS UNBOUNDED PRECEDING)
)
SELECT ${LETTER_COLUMNS}, ${placeTime('d.created_at')} AS place_at, (SELECT count(*)::int FROM keys) AS found
FROM sized JOIN dead_letters d ON d.id = sized.id JOIN jobs j ON j.id = d.job_id
WHERE sized.row <= ${limit} AND (sized.row = 1 OR sized.bytes_before < ${MAX_PAGE_BYTES})
ORDER BY sized.row`;
  return { text, values: parameters.values };
}

/** The most frequent fingerprints, each with its newest error. Counts go by an index where the filter lets them. */
export function letterGroupsStatement(filter: DeadLetterFilter, limit: number): PageStatement {
  const parameters = new Parameters();
  const conditions = conditionsOf(filter, parameters);
  const text = `
WITH groups AS MATERIALIZED (
  SELECT d.fingerprint, count(*)::int AS count, min(d.created_at) AS first_at, max(d.created_at) AS last_at
  FROM dead_letters d WHERE ${allOf(conditions)} GROUP BY d.fingerprint
  ORDER BY count(*) DESC, max(d.created_at) DESC, d.fingerprint LIMIT ${limit + 1}
)
SELECT groups.*, newest.pipeline, newest.step, newest.error
FROM groups CROSS JOIN LATERAL (
  SELECT d.pipeline, d.step, d.error FROM dead_letters d
  WHERE ${allOf(['d.fingerprint = groups.fingerprint', ...conditions])}
  ORDER BY d.created_at DESC, d.id DESC LIMIT 1) newest
ORDER BY groups.count DESC, groups.last_at DESC, groups.fingerprint`;
  return { text, values: parameters.values };
}

/** How many there are now, and how many of them belong to jobs in one of the states. */
export function letterCountStatement(filter: DeadLetterFilter, states: readonly string[]): PageStatement {
  const parameters = new Parameters();
  const conditions = conditionsOf(filter, parameters);
  const text = `
SELECT count(*)::int AS matched, count(*) FILTER (WHERE j.status = ANY (${parameters.add(states)}::text[]))::int AS ended,
       ${placeTime('now()')} AS until
FROM dead_letters d JOIN jobs j ON j.id = d.job_id WHERE ${allOf(conditions)}`;
  return { text, values: parameters.values };
}

/**
 * Jobs with dead letters that were there at `until`, in the order of their ids, by the unique key.
 * @param afterJobId where the call before ended
 */
export function letterJobsStatement(
  filter: DeadLetterFilter,
  until: string,
  afterJobId: string,
  limit: number,
): PageStatement {
  const parameters = new Parameters();
  const conditions = [
    ...conditionsOf(filter, parameters),
    `d.created_at <= ${parameters.add(until)}::timestamptz`,
    `d.job_id > ${parameters.add(afterJobId)}::uuid`,
  ];
  const text = `
SELECT d.job_id, count(*)::int AS letters FROM dead_letters d WHERE ${allOf(conditions)}
GROUP BY d.job_id ORDER BY d.job_id LIMIT ${limit}`;
  return { text, values: parameters.values };
}

const allOf = (conditions: readonly string[]): string => conditions.join(' AND ') || 'true';

function conditionsOf(filter: DeadLetterFilter, parameters: Parameters): string[] {
  const { pipeline, step, kind, fingerprint, job_id, created_after, created_before } = filter;
  const equal = Object.entries({ pipeline, step, kind, fingerprint })
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => `d.${column} = ${parameters.add(value)}::text`);
  if (job_id !== undefined) equal.push(`d.job_id = ${parameters.add(job_id)}::uuid`);
  if (created_after) equal.push(`d.created_at > ${parameters.add(created_after)}::timestamptz`);
  if (created_before) equal.push(`d.created_at < ${parameters.add(created_before)}::timestamptz`);
  return equal;
}
