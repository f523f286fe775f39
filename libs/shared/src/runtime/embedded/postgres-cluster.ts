import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, chown, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeExit, spawnGuarded } from './guardian';
import { LineTail, readLines } from './line-tail';
import { postgresProgram } from './postgres-binaries';
import type { PostgresPlacement } from './postgres-placement';
import { type PostgresSettings, settingsFile } from './postgres-settings';

export const DATABASE = 'sluice';
export const SUPERUSER = 'sluice';

const SETTINGS_FILE = 'sluice.conf';
/** Tried in order: with the system's character classes where it has C.UTF-8, else with plain C ones. */
const LOCALE_OPTIONS = [
  ['--locale=C', '--lc-ctype=C.UTF-8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
  ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
  ['--locale=C'],
];

export interface ClusterPaths {
  readonly data: string;
  /** Postgres's own, `postmaster.pid`. */
  readonly lockFile: string;
  readonly password: string;
}

/** Where a placed server keeps its files. */
export function clusterPaths(placement: PostgresPlacement): ClusterPaths {
  const data = join(placement.folder, 'data');
  return { data, lockFile: join(data, 'postmaster.pid'), password: join(placement.folder, 'password') };
}

/**
 * Makes the database files when there are none: UTF-8, sorted by code point, one superuser with a random password.
 * They appear complete or not at all, so that a start that is killed half-way leaves nothing to repair.
 * @param durable false skips waiting for the disk
 * @throws when the files are there but belong to another major version of Postgres
 */
export async function ensureCluster(placement: PostgresPlacement, version: string, durable: boolean): Promise<void> {
  const { data } = clusterPaths(placement);
  if (existsSync(data)) return checkVersion(data, version);
  await removeUnfinished(placement.folder);
  const unfinished = `${data}.new-${process.pid}`;
  await writePassword(placement);
  const failures: string[] = [];
  for (const locale of LOCALE_OPTIONS) {
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    await giveToOwner(placement, unfinished);
    const failure = await initialise(placement, unfinished, locale, durable);
    if (failure === undefined) {
      await appendFile(join(unfinished, 'postgresql.conf'), `\ninclude_if_exists '${SETTINGS_FILE}'\n`);
      return rename(unfinished, data);
    }
    failures.push(failure);
  }
  await rm(unfinished, { recursive: true, force: true });
  throw new Error(`the embedded Postgres could not make its database files in ${data}:\n${failures.at(-1)}`);
}

/** Puts the settings of the next start in place. */
export async function writeSettings(placement: PostgresPlacement, settings: PostgresSettings): Promise<void> {
  const path = join(clusterPaths(placement).data, SETTINGS_FILE);
  await writeFile(path, settingsFile(settings), { mode: 0o600 });
  await giveToOwner(placement, path);
}

/** What a running server's lock file says; undefined when there is none. */
export async function readLockFile(placement: PostgresPlacement): Promise<{ pid: number; status: string } | undefined> {
  try {
    const lines = (await readFile(clusterPaths(placement).lockFile, 'utf8')).split('\n');
    const pid = Number(lines[0]);
    return pid > 0 ? { pid, status: (lines[7] ?? '').trim() } : undefined;
  } catch {
    return undefined;
  }
}

/** The superuser's password. */
export async function readPassword(placement: PostgresPlacement): Promise<string> {
  return (await readFile(clusterPaths(placement).password, 'utf8')).trim();
}

async function initialise(
  placement: PostgresPlacement,
  data: string,
  locale: readonly string[],
  durable: boolean,
): Promise<string | undefined> {
  const { password } = clusterPaths(placement);
  const failure = await runToEnd(placement, [
    postgresProgram(placement.nativeFolder, 'initdb'),
    `--pgdata=${data}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
    ...locale,
  ]);
  if (failure !== undefined) return failure;
  const single = [postgresProgram(placement.nativeFolder, 'postgres'), '--single', '-D', data, 'postgres'];
  const createDatabase = `echo "CREATE DATABASE ${DATABASE}" | "$@"`;
  return runToEnd(placement, ['/bin/sh', '-c', createDatabase, 'sh', ...single]);
}

/** Runs one program as the server's user; gives its last words when it fails. */
async function runToEnd(placement: PostgresPlacement, argv: readonly string[]): Promise<string | undefined> {
  const [program, ...rest] = [...placement.prefix, ...argv];
  const running = await spawnGuarded({
    argv: [program as string, ...rest],
    cwd: '/',
    env: { ...process.env, LC_ALL: undefined, LANG: 'C' },
    user: placement.user,
    orphanSignal: 'SIGKILL',
    orphanGraceMs: 0,
  });
  const tail = new LineTail();
  readLines(running.stdout, (line) => tail.add(line));
  readLines(running.stderr, (line) => tail.add(line));
  const exit = await running.exited;
  return exit.code === 0 ? undefined : `${argv[0]} ended with ${describeExit(exit)}:\n${tail.toString()}`;
}

async function writePassword(placement: PostgresPlacement): Promise<void> {
  const { password } = clusterPaths(placement);
  await writeFile(password, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  await giveToOwner(placement, password);
}

async function giveToOwner(placement: PostgresPlacement, path: string): Promise<void> {
  if (placement.user) await chown(path, placement.user.uid, placement.user.gid);
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('data.new-')) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function checkVersion(data: string, version: string): Promise<void> {
  const found = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
  const major = version.split('.')[0];
  if (found === major) return;
  throw new Error(
    `the database in ${data} was made by Postgres ${found}, but the installed programs are ${version}. ` +
      'Move the data with pg_dump and pg_restore, or use another data folder.',
  );
}
