import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startMarkOf } from './process-identity';

const LOCK_FILE = 'owner.lock';
const TRIES = 5;

interface Owner {
  readonly pid: number;
  /** Tells the owner from a later process with the same pid. */
  readonly startMark: string | null;
}

/**
 * Takes a data folder for this process, so that two starts never use the same servers' files.
 * A lock whose owner is gone, however it died, is taken over.
 * @returns a function that gives the folder back
 * @throws when a living process has it; the message names its pid
 */
export async function lockDataFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lockFile = join(folder, LOCK_FILE);
  const ownFile = `${lockFile}.${process.pid}`;
  const self: Owner = { pid: process.pid, startMark: (await startMarkOf(process.pid)) ?? null };
  await writeFile(ownFile, JSON.stringify(self), { mode: 0o600 });
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      if (await linkIfAbsent(ownFile, lockFile)) return () => release(lockFile, self);
      const owner = await readOwner(lockFile);
      if (owner && (await isAlive(owner))) {
        throw new Error(`the data folder ${folder} is in use by the process with pid ${owner.pid}. \
Stop it first, or choose another folder with --data-dir.`);
      }
      await removeStale(lockFile, owner);
    }
    throw new Error(`the data folder ${folder} could not be locked: others keep taking it`);
  } finally {
    await rm(ownFile, { force: true });
  }
}

/** A hard link appears with its content or not at all, and only for one of two who try at once. */
async function linkIfAbsent(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Another process may have replaced the stale lock since it was read: what is not the stale one is put back. */
async function removeStale(lockFile: string, stale: Owner | undefined): Promise<void> {
  const aside = `${lockFile}.${process.pid}.stale`;
  try {
    await rename(lockFile, aside);
  } catch {
    return;
  }
  if (!isSame(await readOwner(aside), stale)) await linkIfAbsent(aside, lockFile);
  await rm(aside, { force: true });
}

async function release(lockFile: string, self: Owner): Promise<void> {
  if (isSame(await readOwner(lockFile), self)) await rm(lockFile, { force: true });
}

function isSame(one: Owner | undefined, other: Owner | undefined): boolean {
  return one?.pid === other?.pid && one?.startMark === other?.startMark;
}

async function readOwner(lockFile: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(lockFile, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  const startMark = await startMarkOf(owner.pid);
  return startMark !== undefined && (owner.startMark === null || owner.startMark === startMark);
}
