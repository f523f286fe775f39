import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_VARIABLES } from './test-environment';

/** What jest tells of the run, as far as it is of use here. */
interface TestRun {
  readonly rootDir: string;
  readonly testPathPatterns: { readonly patterns: readonly string[] };
}

/** Undoes the set-up, last part first. Global teardown runs in the same process and finds it here. */
export const undoSetup: (() => Promise<unknown>)[] = [];

/**
 * Runs once before all tests: builds, and starts the servers that the environment does not name.
 * Specs beside the code and simulations need neither, so a run of only those starts at once.
 */
export default async function setUp(run: TestRun): Promise<void> {
  const { patterns } = run.testPathPatterns;
  if (patterns.length > 0 && patterns.every((pattern) => /^(\.\/)?(apps|libs|test\/simulation)(\/|$)/.test(pattern)))
    return;
  execFileSync(process.execPath, [join(run.rootDir, 'scripts', 'build.mjs'), '--if-needed'], { stdio: 'inherit' });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  undoSetup.push(() => rm(folder, { recursive: true, force: true }));
  process.env[TEST_VARIABLES.logFolder] = join(folder, 'logs');
  await mkdir(join(folder, 'logs'));
  try {
    await Promise.all([startPostgresFor(folder), startNatsFor(folder)]);
  } catch (error) {
    for (const undo of undoSetup.splice(0).reverse()) await undo();
    throw error;
  }
}

/** From dist: jest's mapping of #shared does not hold here, and Node's own leads to the build. */
async function startPostgresFor(folder: string): Promise<void> {
  if (process.env[TEST_VARIABLES.databaseUrl]) return;
  const { startPostgres } = await import('#shared/runtime/embedded/postgres');
  const { removePlacement } = await import('#shared/runtime/embedded/postgres-placement');
  const place = join(folder, 'postgres');
  const postgres = await startPostgres({ folder: place, throwaway: true });
  undoSetup.push(
    () => removePlacement(place),
    () => postgres.stop(),
  );
  process.env[TEST_VARIABLES.databaseUrl] = postgres.url;
}

async function startNatsFor(folder: string): Promise<void> {
  const { findNatsServer } = await import('#shared/runtime/embedded/nats-server-binary');
  const { startNatsServer } = await import('#shared/runtime/embedded/nats-server');
  const program =
    process.env[TEST_VARIABLES.natsServer] ?? (await findNatsServer((line) => process.stderr.write(`${line}\n`))).path;
  process.env[TEST_VARIABLES.natsServer] = program;
  if (process.env[TEST_VARIABLES.natsUrl]) return;
  const nats = await startNatsServer({ program, folder: join(folder, 'nats') });
  undoSetup.push(() => nats.stop());
  process.env[TEST_VARIABLES.natsUrl] = nats.url;
}
