import { realpath, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';

export type LocalSource =
  | { readonly ok: true; readonly path: string }
  /** `reason` follows the source in a sentence: "/etc is outside the configured roots". */
  | { readonly ok: false; readonly reason: string };

const OUTSIDE = 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)';

/**
 * Where a `local_path` source really is, if a job may read it: a folder under one of the roots once every symbolic
 * link is followed, in the path and in the roots.
 *
 * @param path as the job gave it; a relative one starts at the first root
 * @param roots folders of the configuration; those that do not exist allow nothing
 */
export async function resolveLocalSource(path: string, roots: readonly string[]): Promise<LocalSource> {
  if (path === '' || path.includes('\0')) return refuse('is not a path');
  const wanted = resolve(roots[0] ?? sep, path);
  const realRoots = await Promise.all(roots.map((root) => realpath(root).catch(() => null)));
  const allowed = realRoots.filter((root) => root !== null);
  try {
    const real = await realpath(wanted);
    if (!isUnder(real, allowed)) return refuse(OUTSIDE);
    return (await stat(real)).isDirectory() ? { ok: true, path: real } : refuse('is not a directory');
  } catch (error) {
    // What lies outside is not probed: whether it exists is nobody's business.
    if (!isUnder(wanted, [...roots.map((root) => resolve(root)), ...allowed])) {
      return refuse(OUTSIDE);
    }
    return refuse(problemOf(error));
  }
}

function isUnder(path: string, roots: readonly string[]): boolean {
  return roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep));
}

function problemOf(error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
      return 'cannot be read';
    case 'ENOTDIR':
      return 'is not a directory';
    case 'ELOOP':
      return 'is a loop of symbolic links';
    default:
      return 'does not exist';
  }
}

const refuse = (reason: string): LocalSource => ({ ok: false, reason });
