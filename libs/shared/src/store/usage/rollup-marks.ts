import type { PoolClient } from 'pg';
import { MINUTE_MS, timeOf } from '#shared/store/usage/rollup-rows';

/** Up to which minute, exclusive, all was compared and folded, and the minute that it is; in milliseconds since 1970. */
export interface RollupMarks {
  readonly comparedMs: number;
  readonly foldedMs: number;
  readonly nowMs: number;
}

const READ = `
SELECT extract(epoch FROM now())::float8 * 1000 AS now,
       (SELECT extract(epoch FROM at)::float8 * 1000 FROM rollup_marks WHERE name = 'compared') AS compared,
       (SELECT extract(epoch FROM at)::float8 * 1000 FROM rollup_marks WHERE name = 'folded') AS folded`;

/** By the database's clock. */
export async function readMarks(client: Pick<PoolClient, 'query'>): Promise<RollupMarks> {
  const { rows } = await client.query<{ now: number; compared: number; folded: number }>(READ);
  const [row] = rows;
  if (!row) throw new Error('the marks of the roll-ups are gone');
  return { comparedMs: row.compared, foldedMs: row.folded, nowMs: row.now };
}

/** Under the lock of roll-ups. */
export async function moveMark(client: PoolClient, name: 'compared' | 'folded', toMs: number): Promise<void> {
  await client.query('UPDATE rollup_marks SET at = $2 WHERE name = $1 AND at < $2', [name, timeOf(toMs)]);
}

/** The minute that a time is in. */
export const minuteOf = (ms: number): number => Math.floor(ms / MINUTE_MS) * MINUTE_MS;
