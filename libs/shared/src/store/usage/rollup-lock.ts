import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { withClient } from '#shared/store/database';

/** Any number; the same for all that write roll-ups. */
const ROLLUP_LOCK = 7_305_809;
/** Whoever holds it is soon done; one that waits longer tries again later. */
const LOCK_LIMIT_MS = 20_000;

/**
 * One transaction of those that write roll-ups, which come one after another: what it reads of them nobody else changes.
 * @throws also when the lock does not come free within 20 s; nothing is written then
 */
export function underRollupLock<T>(database: DataSource, work: (client: PoolClient) => Promise<T>): Promise<T> {
  // After an error the connection is dropped, and the transaction with it.
  return withClient(database, async (client) => {
    await client.query(`BEGIN; SET LOCAL lock_timeout = ${LOCK_LIMIT_MS}`);
    await client.query('SELECT pg_advisory_xact_lock($1)', [ROLLUP_LOCK]);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  });
}
