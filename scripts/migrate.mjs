// Brings the database that DATABASE_URL names to this version's tables. `npm start` does so by itself.
import { existsSync } from 'node:fs';

const built = new URL('../dist/libs/shared/src/store/migrate.js', import.meta.url);
const databaseUrl = process.env.DATABASE_URL;

if (!databaseUrl) {
  console.error('DATABASE_URL: expected the address of a Postgres database, found nothing');
  process.exitCode = 2;
} else if (!existsSync(built)) {
  console.error('sluice is not built yet: run "npm run build" first');
  process.exitCode = 1;
} else {
  const { migrate } = await import(built.href);
  try {
    await migrate(databaseUrl);
    console.log('the database is up to date');
  } catch (error) {
    console.error(`the database could not be migrated: ${error.message}`);
    process.exitCode = 1;
  }
}
