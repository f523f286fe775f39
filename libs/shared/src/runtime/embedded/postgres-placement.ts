import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  copyPostgresBinaries,
  findPostgresBinaries,
  type PostgresBinaries,
  postgresProgram,
} from './postgres-binaries';

const run = promisify(execFile);

const USER_NAMESPACE = ['unshare', '--user', '--map-user=1000', '--map-group=1000'];
const NOBODY_ID = 65_534;
const PLACED_AT_FILE = 'placed-at';

/** Where Postgres's programs and files lie and as whom they run. Postgres refuses to run as root. */
export interface PostgresPlacement {
  /** Put before every command line. */
  readonly prefix: readonly string[];
  /** Change to this user, who owns the files. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly nativeFolder: string;
  /** Holds the database's files, in `data`. */
  readonly folder: string;
}

/**
 * Decides how Postgres can be run here.
 * An ordinary user runs it directly. Root runs it in a user namespace of its own, which needs no right to any other
 * user's files and works under folders that only root may enter. Where namespaces are refused, programs and data lie in
 * a folder under the system's temporary folder and run as `nobody`; the wanted folder then only says where.
 * @param wantedFolder for everything that belongs to this server; made when it is not there
 * @param forceNobody skip the namespace even where it works
 */
export async function placePostgres(wantedFolder: string, forceNobody = false): Promise<PostgresPlacement> {
  await mkdir(wantedFolder, { recursive: true, mode: 0o700 });
  const folder = await realpath(wantedFolder);
  const binaries = await findPostgresBinaries();
  const inPlace = { folder, nativeFolder: binaries.nativeFolder };
  if (process.getuid?.() !== 0) return { ...inPlace, prefix: [] };
  const placedAt = await readPlacedAt(folder);
  if (placedAt !== undefined) return placedForNobody(placedAt, binaries, folder);
  if (!forceNobody && (await worksInUserNamespace(folder, binaries))) return { ...inPlace, prefix: USER_NAMESPACE };
  if (existsSync(join(folder, 'data'))) {
    throw new Error(`user namespaces are refused here, so the database in ${folder} cannot be run as root. \
Allow them, or run as the ordinary user who should own the files.`);
  }
  const fresh = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  await chmod(fresh, 0o711);
  await writeFile(join(folder, PLACED_AT_FILE), fresh);
  return placedForNobody(fresh, binaries, folder);
}

/** Removes what `placePostgres` put outside of `folder`, for a server whose data is not needed any more. */
export async function removePlacement(folder: string): Promise<void> {
  const placedAt = await readPlacedAt(folder);
  if (placedAt !== undefined && (await isOwnFolder(placedAt))) await rm(placedAt, { recursive: true, force: true });
}

async function placedForNobody(
  placedAt: string,
  binaries: PostgresBinaries,
  folder: string,
): Promise<PostgresPlacement> {
  if (!(await isOwnFolder(placedAt))) {
    throw new Error(
      `the database of ${folder} was kept in ${placedAt}, which is gone or not ours. ` +
        `Put it back, or remove ${join(folder, PLACED_AT_FILE)} to begin with an empty database.`,
    );
  }
  const nativeFolder = join(placedAt, `postgres-${binaries.version}`);
  if (!existsSync(nativeFolder)) await copyPostgresBinaries(binaries, nativeFolder);
  return { prefix: [], user: await nobody(), nativeFolder, folder: placedAt };
}

async function worksInUserNamespace(folder: string, binaries: PostgresBinaries): Promise<boolean> {
  const [unshare, ...mapping] = USER_NAMESPACE;
  const script = 'test -w "$1" && exec "$2" --version';
  const program = postgresProgram(binaries.nativeFolder, 'postgres');
  try {
    await run(unshare as string, [...mapping, '/bin/sh', '-c', script, 'sh', folder, program]);
    return true;
  } catch {
    return false;
  }
}

async function readPlacedAt(folder: string): Promise<string | undefined> {
  try {
    return (await readFile(join(folder, PLACED_AT_FILE), 'utf8')).trim();
  } catch {
    return undefined;
  }
}

/** Only a real folder of root's own is trusted: anybody may write to the system's temporary folder. */
async function isOwnFolder(path: string): Promise<boolean> {
  try {
    const stat = await lstat(path);
    return stat.isDirectory() && stat.uid === 0;
  } catch {
    return false;
  }
}

async function nobody(): Promise<{ uid: number; gid: number }> {
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const fields = accounts
    .split('\n')
    .find((line) => line.startsWith('nobody:'))
    ?.split(':');
  return { uid: Number(fields?.[2] ?? NOBODY_ID), gid: Number(fields?.[3] ?? NOBODY_ID) };
}
