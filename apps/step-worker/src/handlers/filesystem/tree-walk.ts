import type { Dirent } from 'node:fs';
import { textOfName } from '../source/entry-name';
import { Skipped, type SkipReason, type SourceTree, skippedFor } from '../source/source-tree';
import { GitignoreRules } from './gitignore';

/** An entry below the root, parents before children. */
export type TreeEntry =
  | { readonly kind: 'directory' | 'file'; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: SkipReason };

export interface WalkOptions {
  /** Says whether to leave a path out, besides what .gitignore files say. */
  readonly ignores: (path: string, isDirectory: boolean) => boolean;
  readonly signal: AbortSignal;
  readonly onWarning: (message: string) => void;
}

interface Directory {
  readonly path: string;
  readonly bytes: Buffer;
  readonly depth: number;
  readonly rules: GitignoreRules;
}

/** Deeper directories are left out: patterns with "**" take time that grows with depth. */
export const MAX_DEPTH = 128;
const MAX_GITIGNORE_BYTES = 262_144;
const SLASH = Buffer.from('/');

/**
 * Every directory and file that is neither ignored nor `.git`, and what is left out with its reason. Links are not
 * followed. Holds the directories still to be visited, never the whole tree.
 */
export async function* walkTree(tree: SourceTree, options: WalkOptions): AsyncGenerator<TreeEntry> {
  const pending: Directory[] = [{ path: '', bytes: Buffer.alloc(0), depth: 0, rules: GitignoreRules.none }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    try {
      for await (const entry of entriesOf(tree, next, options)) {
        yield entry.found;
        if (entry.within) pending.push(entry.within);
      }
    } catch (error) {
      const skipped = skippedFor(error);
      if (!(skipped instanceof Skipped)) throw error;
      yield { kind: 'skipped', path: next.path, reason: skipped.reason };
    }
  }
}

async function* entriesOf(
  tree: SourceTree,
  directory: Directory,
  options: WalkOptions,
): AsyncGenerator<{ found: TreeEntry; within?: Directory }> {
  const rules = await rulesOf(tree, directory, options);
  const ignored = rules.tester();
  for await (const entry of (await tree.directory(directory.bytes)) as AsyncIterable<Dirent<Buffer>>) {
    options.signal.throwIfAborted();
    if (entry.name.equals(DOT_GIT)) continue;
    const bytes = directory.path === '' ? entry.name : Buffer.concat([directory.bytes, SLASH, entry.name]);
    const path = textOfName(bytes);
    const isDirectory = entry.isDirectory();
    if (ignored(path, isDirectory) || options.ignores(path, isDirectory)) {
      yield { found: { kind: 'skipped', path, reason: 'ignored' } };
    } else if (isDirectory && directory.depth < MAX_DEPTH) {
      yield { found: { kind: 'directory', path, bytes }, within: { path, bytes, depth: directory.depth + 1, rules } };
    } else if (entry.isFile()) {
      yield { found: { kind: 'file', path, bytes } };
    } else {
      yield { found: { kind: 'skipped', path, reason: isDirectory ? 'too_deep' : reasonOf(entry) } };
    }
  }
}

const DOT_GIT = Buffer.from('.git');

function reasonOf(entry: Dirent<Buffer>): SkipReason {
  if (entry.isSymbolicLink()) return 'symlink';
  if (entry.isSocket()) return 'socket';
  return entry.isFIFO() ? 'fifo' : 'device';
}

async function rulesOf(tree: SourceTree, directory: Directory, options: WalkOptions): Promise<GitignoreRules> {
  const bytes = Buffer.from('.gitignore');
  const content = await read(tree, directory.path === '' ? bytes : Buffer.concat([directory.bytes, SLASH, bytes]));
  if (content === null) return directory.rules;
  return directory.rules.with(directory.path, content, (line, why) => {
    options.onWarning(`${directory.path}/.gitignore: "${line.slice(0, 100)}" is not used: it ${why}`);
  });
}

/** The beginning of a text file, null when there is none that can be read. */
async function read(tree: SourceTree, path: Buffer): Promise<string | null> {
  try {
    const { handle, size } = await tree.file(path);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size, MAX_GITIGNORE_BYTES)));
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (skippedFor(error) instanceof Skipped) return null;
    throw error;
  }
}
