import { DataSource } from 'typeorm';
import type { PoolClient, QueryConfig } from 'pg';
import { MIGRATIONS } from '#shared/store/migrations';

/** The way to Postgres. Only the store looks into it; others pass it on. */
export type { DataSource as Database } from 'typeorm';

export interface DatabaseOptions {
  readonly url: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** Connections at most; default 10. */
  readonly poolSize?: number;
  /** Called with errors of idle connections, e.g. when Postgres restarts. They end nothing. */
  readonly onIdleError?: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 60_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;

/** The one DataSource of a process, not yet connected. It connects lazily and survives restarts of Postgres. */
export function createDatabase(options: DatabaseOptions): DataSource {
  return new DataSource({
    type: 'postgres',
    url: options.url,
    applicationName: options.applicationName,
    poolSize: options.poolSize ?? 10,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    poolErrorHandler: (error: Error) => options.onIdleError?.(error),
    synchronize: false,
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    extra: {
      keepAlive: true,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    },
  });
}

/** A connected DataSource. @throws when Postgres cannot be reached within 5 s */
export const openDatabase = (options: DatabaseOptions): Promise<DataSource> => createDatabase(options).initialize();

/** A statement that is parsed and planned once per connection. Its name is unique in the program. */
export interface NamedStatement {
  readonly name: string;
  readonly text: string;
}

/** No answer for so long: the connection is taken for dead. All named statements are short. */
const ANSWER_LIMIT_MS = 20_000;

/** Runs a named statement on a connection that a query runner holds. @throws also when there is no answer for 20 s */
export async function execute<Row>(client: PoolClient, statement: NamedStatement, values: unknown[]): Promise<Row[]> {
  const result = await client.query<Row & Record<string, unknown>>({
    ...statement,
    values,
    query_timeout: ANSWER_LIMIT_MS,
  } as QueryConfig);
  return result.rows;
}

/** Borrows a connection of the DataSource for `work` and gives it back; one that `work` failed on is not used again. */
export async function withClient<T>(database: DataSource, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const runner = database.createQueryRunner();
  let client: PoolClient | undefined;
  try {
    client = (await runner.connect()) as PoolClient;
    return await work(client);
  } catch (error) {
    // Ended, the pool drops it: a statement may still be under way on it.
    client?.end(() => undefined);
    throw error;
  } finally {
    await runner.release();
  }
}
