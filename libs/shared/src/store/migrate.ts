import { withClient, openDatabase } from '#shared/store/database';

/** Any number; the same for all that migrate, so that they do it one after another. */
const MIGRATION_LOCK = 7_305_808;

/** Brings the database to this version's tables. Safe when several processes do it at once. */
export async function migrate(databaseUrl: string): Promise<void> {
  const database = await openDatabase({ url: databaseUrl, applicationName: 'sluice-migrate', poolSize: 2 });
  try {
    await withClient(database, async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      try {
        await database.runMigrations({ transaction: 'each' });
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      }
    });
  } finally {
    await database.destroy();
  }
}
