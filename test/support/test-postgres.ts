import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { type EmbeddedPostgres, startPostgres } from '#shared/runtime/embedded/postgres';
import { removePlacement } from '#shared/runtime/embedded/postgres-placement';
import { isAlive } from './processes';
import type { TestDatabase } from './test-database';

/** A Postgres server of one spec's own, that may be killed. Its database is empty at first. */
export interface TestPostgres extends TestDatabase {
  readonly port: number;
  /** The immediate stop (`pg_ctl stop -m immediate`): like a crash. Resolves when it is gone. */
  stopImmediately(): Promise<void>;
  /** Kills the postmaster as kill -9 does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Whether it runs: it may have ended by itself. */
  isRunning(): Promise<boolean>;
}

/** Starts a Postgres on a folder and a port of its own. Give it back with `drop` in `afterAll`. `under`: a disk for it. */
export async function startTestPostgres(under = tmpdir()): Promise<TestPostgres> {
  const outer = await mkdtemp(join(under, 'sluice-test-postgres-'));
  const folder = join(outer, 'postgres');
  let server: EmbeddedPostgres = await startPostgres({ folder, throwaway: true });
  const { url, port } = server;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    server.kill(signal);
    await server.exited;
  };
  return {
    name: new URL(url).pathname.slice(1),
    url,
    port,
    /** On a connection for each statement: the server may have been gone in between. */
    async query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      const client = new Client({ connectionString: url, application_name: 'sluice-test' });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return (await client.query<Row>(sql, [...values])).rows;
      } finally {
        await client.end().catch(() => undefined);
      }
    },
    stopImmediately: () => end('SIGQUIT'),
    kill: () => end('SIGKILL'),
    async start() {
      server = await startPostgres({ folder, port, throwaway: true });
    },
    isRunning: () => isAlive(server.pid),
    async drop() {
      await server.stop();
      await removePlacement(folder);
      await rm(outer, { recursive: true, force: true });
    },
  };
}
