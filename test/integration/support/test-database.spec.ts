import { Client } from 'pg';
import { createTestDatabase } from '../../support/test-database';

describe('createTestDatabase', () => {
  it('gives each caller a migrated database of its own', async () => {
    const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    await one.query('CREATE TABLE only_here (id int)');
    const tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
    const namesIn = async (database: typeof one): Promise<unknown[]> =>
      (await database.query(tables)).map((row) => row.table_name as unknown);
    expect(await namesIn(one)).toContain('only_here');
    expect(await namesIn(other)).toContain('migrations');
    expect(await namesIn(other)).not.toContain('only_here');
    await Promise.all([one.drop(), other.drop()]);
  });

  it('says so when a connection is left open, and removes the database all the same', async () => {
    const database = await createTestDatabase();
    const leaking = new Client({ connectionString: database.url, application_name: 'leaking' });
    leaking.on('error', () => undefined);
    await leaking.connect();
    await expect(database.drop()).rejects.toThrow(/not closed:[^]*leaking/);
    const admin = await createTestDatabase();
    expect(await admin.query('SELECT FROM pg_database WHERE datname = $1', [database.name])).toEqual([]);
    await admin.drop();
  });
});
