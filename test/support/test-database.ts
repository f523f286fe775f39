import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { migrate } from '#shared/store/migrate';
import { until } from './poll';
import { testVariable } from './test-environment';

const TEMPLATE_LOCK = 5_311_874;
const LEAK_DEADLINE_MS = 3_000;

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Runs one statement on a connection of the database's own. */
  query<Row extends QueryResultRow = QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Removes the database. Call it after everything that uses it was closed.
   * @throws when a connection to it is still open: something leaks
   */
  drop(): Promise<void>;
}

/** Makes a fresh database with all tables, for one spec file. Give it back with `drop` in `afterAll`. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `sluice_test_${randomBytes(6).toString('hex')}`;
  const url = urlOf(name);
  await asAdministrator(async (admin) => {
    const template = await ensureTemplate(admin);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  let own: Promise<Client> | undefined;
  return {
    name,
    url,
    async query<Row extends QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
      own ??= connect(url);
      const { rows } = await (await own).query<Row>(sql, [...values]);
      return rows;
    },
    async drop() {
      await (await own)?.end();
      await asAdministrator((admin) => dropWhenUnused(admin, name));
    },
  };
}

/** The template is migrated once for each state of the migrations; the lock makes the other workers wait for it. */
async function ensureTemplate(admin: Client): Promise<string> {
  const template = `sluice_template_${migrationsHash()}`;
  await admin.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [template]);
    if (rowCount) return template;
    const unfinished = `${template}_unfinished`;
    await admin.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${unfinished} TEMPLATE template0`);
    await migrate(urlOf(unfinished));
    await admin.query(`ALTER DATABASE ${unfinished} WITH ALLOW_CONNECTIONS false`);
    await admin.query(`ALTER DATABASE ${unfinished} RENAME TO ${template}`);
    return template;
  } finally {
    await admin.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
}

async function dropWhenUnused(admin: Client, name: string): Promise<void> {
  const connections = async (): Promise<string[]> => {
    const { rows } = await admin.query<{ line: string }>(
      `SELECT format('%s %s: %s', pid, application_name, left(query, 200)) AS line
         FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`,
      [name],
    );
    return rows.map(({ line }) => line);
  };
  const noneLeft = async (): Promise<boolean> => (await connections()).length === 0;
  await until(noneLeft, { deadlineMs: LEAK_DEADLINE_MS }).catch(() => undefined);
  const leaked = await connections();
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  if (leaked.length > 0) throw new Error(`connections to the database were not closed:\n${leaked.join('\n')}`);
}

function migrationsHash(): string {
  const folder = join(__dirname, '..', '..', 'libs', 'shared', 'src', 'store', 'migrations');
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 16);
}

async function asAdministrator<T>(work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = await connect(urlOf('postgres'));
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, application_name: 'sluice-test' });
  // A fault test may stop the server; the next statement says so.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function urlOf(database: string): string {
  const url = new URL(testVariable('databaseUrl'));
  url.pathname = `/${database}`;
  return url.toString();
}
