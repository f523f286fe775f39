import type { DataSource, QueryRunner } from 'typeorm';
import { Client, type PoolClient } from 'pg';
import type { Database, NamedStatement } from '#shared/store/database';
import { until } from '../support/poll';
import type { TestDatabase } from '../support/test-database';

/** What a statement is asked with. */
export interface Asked extends NamedStatement {
  readonly values: unknown[];
  readonly query_timeout?: number;
}

/** The same database, but that each statement is changed, or something done, before it is run. */
function through(database: Database, before: (asked: Asked) => Asked | Promise<Asked>): Database {
  const wrap = (client: PoolClient): PoolClient => {
    const query = async (asked: Asked | string): Promise<unknown> =>
      client.query(typeof asked === 'string' ? asked : await before(asked));
    return { query, end: () => client.end() } as unknown as PoolClient;
  };
  const createQueryRunner = (): QueryRunner => {
    const runner = database.createQueryRunner();
    const connect = async (): Promise<PoolClient> => wrap((await runner.connect()) as PoolClient);
    return { connect, release: () => runner.release() } as unknown as QueryRunner;
  };
  return { createQueryRunner } as unknown as DataSource;
}

/**
 * The same database, but that one of its statements reads as `change` has it: for showing that a test would go red
 * without a part of it.
 */
export const withStatement = (
  { name }: NamedStatement,
  change: (text: string) => string,
  database: Database,
): Database => through(database, (asked) => (asked.name === name ? { ...asked, text: change(asked.text) } : asked));

/** The same database, but that somebody looks at each statement before it is run, and may do something first. */
export const watched = (database: Database, look: (asked: Asked) => void | Promise<void>): Database =>
  through(database, async (asked) => {
    await look(asked);
    return asked;
  });

/** Replaces a part of a text. @throws when it is not there: then the copy would be the original */
export const without =
  (part: string, instead = '') =>
  (text: string): string => {
    if (!text.includes(part)) throw new Error(`the statement has no ${part}`);
    return text.replace(part, instead);
  };

/** A transaction of the test's own that holds locks until it is told to end. */
export interface Holder {
  query(sql: string, values?: unknown[]): Promise<unknown>;
  commit(): Promise<void>;
}

/** Begins a transaction that has locked the job's row. */
export async function holdJob(server: TestDatabase, id: string): Promise<Holder> {
  const client = new Client({ connectionString: server.url, application_name: 'core-holder' });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [id]);
  return {
    query: async (sql, values) => client.query(sql, values ?? []),
    async commit() {
      await client.query('COMMIT');
      await client.end();
    },
  };
}

/** Resolves when so many connections to the database wait for a lock. */
export async function untilWaiting(server: TestDatabase, count: number): Promise<void> {
  const query = `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`;
  await until(async () => (await server.query<{ waiting: number }>(query, [server.name]))[0]?.waiting === count, {
    everyMs: 2,
    what: `${count} waiting connections`,
  });
}
