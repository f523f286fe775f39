import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { SchedulePatch, ScheduleRequest, ScheduleView } from '#shared/contracts/schedule';
import { InvalidInput } from '#shared/domain/errors';
import { storableJsonText } from '#shared/domain/json';
import { cronTimes } from '#shared/domain/schedule/cron-times';
import { withClient } from '#shared/store/database';
import { BoundedReads, type BoundedReadsOptions } from '#shared/store/jobs/bounded-reads';
import {
  isUuid,
  jsonBytes,
  type ListPlace,
  MAX_PAGE_BYTES,
  noSuchPlace,
  Parameters,
} from '#shared/store/jobs/page-statement';
import { SCHEDULE_COLUMNS, type ScheduleRow, scheduleViewOf } from '#shared/store/schedules/schedule-view';
import { millis } from '#shared/store/schedules/tick-statements';

export interface SchedulePageRead {
  readonly items: ScheduleView[];
  /** Where the next page begins; null at the end. */
  readonly next: ListPlace | null;
}

/** Recurring schedules as people make, change, remove and see them. */
export class Schedules {
  private readonly reads: BoundedReads;

  constructor(
    private readonly database: DataSource,
    options: BoundedReadsOptions = {},
  ) {
    this.reads = new BoundedReads(database, options);
  }

  /** Due next after now, by the database's clock. @throws InvalidInput when it is never due */
  create(id: string, request: ScheduleRequest): Promise<ScheduleView> {
    return this.change(async (client) => {
      const next = nextOf(request, await nowOf(client));
      await client.query(INSERT, [id, ...columnsOf(request), next]);
      return one(client, id);
    });
  }

  /**
   * Changes what the patch names. Another cron, another zone, or being enabled again makes it due next after now: what
   * was due while it was disabled is not made up for.
   * @returns null when there is none of that id
   * @throws InvalidInput when it would never be due
   */
  update(id: string, patch: SchedulePatch): Promise<ScheduleView | null> {
    if (!isUuid(id)) return Promise.resolve(null);
    return this.change(async (client) => {
      const { rows } = await client.query<ScheduleRow>(`${READ_ROW} FOR UPDATE OF s`, [id]);
      const [before] = rows;
      if (!before) return null;
      const after = patched(before, patch);
      const isMoved =
        after.cron !== before.cron || after.timezone !== before.timezone || (after.enabled && !before.enabled);
      const next = isMoved ? nextOf(after, before.now_ms) : before.next_ms;
      await client.query(UPDATE, [id, ...columnsOf(after), after.enabled ? next : null]);
      return one(client, id);
    });
  }

  /** Whether there was one. Its jobs stay. */
  async remove(id: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    const removed: unknown = await this.database.query('DELETE FROM schedules WHERE id = $1 RETURNING id', [id]);
    return Array.isArray(removed) && (removed[1] as number) > 0;
  }

  /** The schedule; null when there is none of that id, well formed or not. */
  async get(id: string): Promise<ScheduleView | null> {
    if (!isUuid(id)) return null;
    const [row]: ScheduleRow[] = await this.database.query(READ, [id]);
    return row ? scheduleViewOf(row) : null;
  }

  /**
   * A page of at most `limit`, the newest first; fewer when they are large. By the key, which begins with the time.
   * @param after where the page before ended
   * @throws InvalidInput for a place that is none, Unavailable when it takes too long or too many ask at once
   */
  async list(enabled: boolean | undefined, limit: number, after?: ListPlace): Promise<SchedulePageRead> {
    const parameters = new Parameters();
    const conditions = enabled === undefined ? ['true'] : [`enabled = ${parameters.add(enabled)}`];
    if (after) {
      const [id] = after;
      if (after.length !== 1 || !isUuid(id)) throw noSuchPlace();
      conditions.push(`id < ${parameters.add(id)}::uuid`);
    }
    const text = `
WITH keys AS MATERIALIZED (
  SELECT id, ${jsonBytes('job')} AS bytes FROM schedules WHERE ${conditions.join(' AND ')}
  ORDER BY id DESC LIMIT ${limit + 1}
), sized AS MATERIALIZED (
  SELECT id, row_number() OVER w AS row, sum(bytes) OVER w - bytes AS bytes_before
  FROM keys WINDOW w AS (ORDER BY id DESC ROWS UNBOUNDED PRECEDING)
)
SELECT ${SCHEDULE_COLUMNS}, (SELECT count(*)::int FROM keys) AS found
FROM sized JOIN schedules s ON s.id = sized.id
WHERE sized.row <= ${limit} AND (sized.row = 1 OR sized.bytes_before < ${MAX_PAGE_BYTES})
ORDER BY sized.row`;
    const rows = await this.reads.run(
      async (client) => (await client.query<ScheduleRow & { found: number }>(text, parameters.values)).rows,
    );
    const last = rows.at(-1);
    return { items: rows.map(scheduleViewOf), next: last && last.found > rows.length ? [last.id] : null };
  }

  private change<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return withClient(this.database, async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }
}

type ScheduleFields = Pick<
  ScheduleRequest,
  'cron' | 'timezone' | 'job' | 'enabled' | 'overlap' | 'catch_up' | 'description'
>;

const INSERT = `
INSERT INTO schedules (id, cron, timezone, job, enabled, overlap, catch_up, description, next_at)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, to_timestamp($9::float8 / 1000))`;

const UPDATE = `
UPDATE schedules SET cron = $2, timezone = $3, job = $4::jsonb, enabled = $5, overlap = $6, catch_up = $7,
                     description = $8, next_at = to_timestamp($9::float8 / 1000), updated_at = now()
WHERE id = $1`;

const READ = `SELECT ${SCHEDULE_COLUMNS} FROM schedules s WHERE s.id = $1`;
const READ_ROW = `
SELECT s.id, s.cron, s.timezone, s.job, s.enabled, s.overlap, s.catch_up, s.description,
       ${millis('s.next_at')} AS next_ms, ${millis('now()')} AS now_ms
FROM schedules s WHERE s.id = $1`;

function columnsOf({ cron, timezone, job, enabled, overlap, catch_up, description }: ScheduleFields): unknown[] {
  return [cron, timezone, storableJsonText(job), enabled, overlap, catch_up, description ?? null];
}

async function nowOf(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ now_ms: number }>(`SELECT ${millis('now()')} AS now_ms`);
  return rows[0]?.now_ms ?? Number.NaN;
}

/** Null for one that is disabled, which has to have a next time all the same. */
function nextOf({ cron, timezone, enabled }: ScheduleFields, nowMs: number): number | null {
  const next = cronTimes(cron, timezone).next(nowMs);
  if (next !== null) return enabled ? next : null;
  const message = `is never due: there is no such time in ${timezone}`;
  throw new InvalidInput([{ path: 'cron', message }]);
}

/** What is left out stays; a description that is null is taken away. */
function patched(before: ScheduleRow, patch: SchedulePatch): ScheduleFields {
  const { cron, timezone, job, enabled, overlap, catch_up, description } = before;
  const given = Object.fromEntries(
    Object.entries(patch as Record<string, unknown>).filter(([, value]) => value !== undefined),
  );
  return { cron, timezone, job, enabled, overlap, catch_up, description, ...given };
}

async function one(client: PoolClient, id: string): Promise<ScheduleView> {
  const { rows } = await client.query<ScheduleRow>(READ, [id]);
  if (!rows[0]) throw new Error(`schedule ${id} is not there right after it was written`);
  return scheduleViewOf(rows[0]);
}
