import type { ListFilter, ListSort } from '#shared/contracts/ingest-request';
import type { JobStatus } from '#shared/domain/status';
import { JOB_COLUMNS, STEP_ROWS } from '#shared/store/jobs/job-reader-statements';
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

/** A part of the order: jobs without an eta come after all that have one, as they were created. */
interface Part {
  readonly column: 'created_at' | 'eta';
  readonly condition: string;
}

const PARTS: Readonly<Record<ListSort, readonly Part[]>> = {
  '-created_at': [{ column: 'created_at', condition: 'true' }],
  created_at: [{ column: 'created_at', condition: 'true' }],
  eta: [
    { column: 'eta', condition: 'eta IS NOT NULL' },
    { column: 'created_at', condition: 'eta IS NULL' },
  ],
};

/**
 * One page of the list, in one statement. It is put together from branches, each of which one index serves in order:
 * `jobs_active` for jobs that are ready or at work, `jobs_unsuccessful` for failed and cancelled ones, `jobs_held_…` and
 * `jobs_needing` for held ones, `jobs_eta`, and `jobs_created` for the rest; each branch gives at most a page. The keys are found first, the rows read after.
 *
 * Its rows have `part` and `place_at` besides the job's columns, and `found`, the number of keys: more than there are
 * rows means that there is a next page.
 *
 * @throws InvalidInput at `cursor` for a place that is none
 */
export function listStatement(filter: ListFilter, sort: ListSort, limit: number, after?: ListPlace): PageStatement {
  const parameters = new Parameters();
  const place = after && readPlace(after, PARTS[sort].length);
  const direction = sort === '-created_at' ? 'DESC' : 'ASC';
  const common = conditionsOf(filter, parameters);
  const statuses = statusConditions(filter.status, parameters);
  const branches = PARTS[sort].flatMap((part, index) => {
    if (place && index < place.part) return [];
    const conditions = [part.condition, ...common];
    if (place && index === place.part) {
      const beyond = direction === 'DESC' ? '<' : '>';
      const key = `${parameters.add(place.at)}::timestamptz, ${parameters.add(place.id)}::uuid`;
      conditions.push(`(${part.column}, id) ${beyond} (${key})`);
    }
    return statuses.map(
      (status) => `(SELECT id, ${index} AS part, ${part.column} AS at FROM jobs
        WHERE ${[...conditions, status].join(' AND ')} ORDER BY ${part.column} ${direction}, id ${direction}
        LIMIT ${limit + 1})`,
    );
  });
  const order = `part, at ${direction}, id ${direction}`;
  const text = `
WITH keys AS MATERIALIZED (
  SELECT * FROM (${branches.join(' UNION ALL ')}) b ORDER BY ${order} LIMIT ${limit + 1}
), sized AS MATERIALIZED (
  SELECT keys.*, row_number() OVER w AS row, sum(size.bytes) OVER w - size.bytes AS bytes_before
  FROM keys CROSS JOIN LATERAL (
    SELECT ${jsonBytes('jobs.input')} + coalesce(
      (SELECT sum(${jsonBytes('output')}) FROM steps WHERE job_id = jobs.id), 0) AS bytes
    FROM jobs WHERE jobs.id = keys.id) size
  WINDOW w AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING)
)
SELECT sized.part, ${placeTime('sized.at')} AS place_at,
       (SELECT count(*)::int FROM keys) AS found, ${JOB_COLUMNS}, ${STEP_ROWS}
FROM sized JOIN jobs j ON j.id = sized.id
WHERE sized.row <= ${limit} AND (sized.row = 1 OR sized.bytes_before < ${MAX_PAGE_BYTES})
ORDER BY sized.row`;
  return { text, values: parameters.values };
}

function conditionsOf(filter: ListFilter, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const { pipeline, tag, schedule_id, q, created_after, created_before } = filter;
  if (pipeline !== undefined) conditions.push(`pipeline = ${parameters.add(pipeline)}`);
  // The index of tags leaves out jobs without any: said here, so that it can be used.
  if (tag !== undefined) conditions.push(`tags <> '{}' AND tags @> ARRAY[${parameters.add(tag)}::text]`);
  // The index of schedules leaves out jobs without one.
  if (schedule_id !== undefined) {
    conditions.push(`schedule_id IS NOT NULL AND schedule_id = ${parameters.add(schedule_id)}::uuid`);
  }
  if (created_after) conditions.push(`created_at > ${parameters.add(created_after)}::timestamptz`);
  if (created_before) conditions.push(`created_at < ${parameters.add(created_before)}::timestamptz`);
  if (q !== undefined) {
    const pattern = `${parameters.add(`%${escapeLike(q)}%`)}::text`;
    conditions.push(
      `(id::text ILIKE ${pattern} OR source ILIKE ${pattern} OR description ILIKE ${pattern} OR error ->> 'message' ILIKE ${pattern} OR EXISTS (
        SELECT FROM steps WHERE job_id = jobs.id AND last_error ->> 'message' ILIKE ${pattern}))`,
    );
  }
  return conditions;
}

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

/** Which index has the jobs of which statuses; what ends well is most of the table. */
const STATUS_GROUPS: readonly { readonly condition: string; readonly statuses: readonly JobStatus[] }[] = [
  { condition: 'active', statuses: ['pending', 'running', 'cancelling'] },
  { condition: 'unsuccessful', statuses: ['failed', 'cancelled'] },
  { condition: 'due_at IS NOT NULL', statuses: ['scheduled'] },
  { condition: 'needs_jobs > 0', statuses: ['waiting'] },
];

/** Conditions of which every wanted job fulfils exactly one. */
function statusConditions(wanted: ListFilter['status'], parameters: Parameters): string[] {
  if (!wanted) return ['true'];
  const statuses = [...new Set(wanted)].filter((status) => status !== 'retrying');
  const anyOf = (some: readonly JobStatus[]): string => `status = ANY (${parameters.add(some)}::text[])`;
  const groups = statuses.includes('completed') ? [{ condition: 'true', statuses }] : STATUS_GROUPS;
  const conditions = groups.flatMap(({ condition, statuses: inGroup }) => {
    const some = inGroup.filter((status) => statuses.includes(status));
    return some.length > 0 ? [`${condition} AND ${anyOf(some)}`] : [];
  });
  if (wanted.includes('retrying')) {
    const retrying = `active AND id IN (SELECT job_id FROM steps WHERE status = 'retrying')`;
    conditions.push(statuses.length > 0 ? `${retrying} AND NOT ${anyOf(statuses)}` : retrying);
  }
  return conditions;
}

function readPlace(place: ListPlace, parts: number): { part: number; at: string; id: string } {
  const [part, at, id] = place;
  const valid =
    place.length === 3 &&
    typeof part === 'number' &&
    Number.isInteger(part) &&
    part >= 0 &&
    part < parts &&
    isPlaceTime(at) &&
    isUuid(id);
  if (!valid) throw noSuchPlace();
  return { part, at, id };
}
