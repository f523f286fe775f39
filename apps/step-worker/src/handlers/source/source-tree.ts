import { constants, type Dir, fstatSync, readlinkSync } from 'node:fs';
import { type FileHandle, open, opendir, realpath } from 'node:fs/promises';

/** Why an entry of a source has no node, or a file no content. */
export type SkipReason =
  | 'ignored'
  | 'symlink'
  | 'socket'
  | 'fifo'
  | 'device'
  | 'unreadable'
  | 'vanished'
  | 'name_too_long'
  | 'too_deep'
  | 'moved_outside'
  | 'io_error'
  | 'binary';

/** Something of the source that is left out. Anything else that goes wrong is an ordinary error. */
export class Skipped extends Error {
  constructor(readonly reason: SkipReason) {
    super(reason);
  }
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
const SLASH = Buffer.from('/');

/**
 * The files below one folder, opened so that no link leads out of it: the last part of a path is never followed, and
 * once something is open, the kernel is asked where it lies, since a folder on the way may have been replaced by a
 * link meanwhile. Paths are bytes, because names need not be UTF-8.
 */
export class SourceTree {
  private constructor(private readonly root: Buffer) {}

  /** @param root a real path: no part of it a link. @throws Skipped when it cannot be read */
  static async at(root: string): Promise<SourceTree> {
    const tree = new SourceTree(Buffer.from(root));
    await (await tree.openChecked(EMPTY, O_DIRECTORY)).close();
    return tree;
  }

  /** A directory to list, with names as bytes; the caller's iteration closes it. @throws Skipped */
  async directory(path: Buffer): Promise<Dir> {
    const handle = await this.openChecked(path, O_DIRECTORY);
    try {
      // Lists the very directory that was checked, even if another has its name by now.
      const listed = kernelPathOf(handle) === null ? this.absolute(path).toString() : `/proc/self/fd/${handle.fd}`;
      // The type knows only text encodings, yet 'buffer' is documented for all of node:fs.
      return await opendir(listed, { encoding: 'buffer' as BufferEncoding, bufferSize: 128 });
    } catch (error) {
      throw skippedFor(error);
    } finally {
      await handle.close();
    }
  }

  /** A regular file to read; the caller closes it. @throws Skipped */
  async file(path: Buffer): Promise<{ handle: FileHandle; size: number }> {
    // Without O_NONBLOCK, a pipe that has taken the file's place would block a thread for ever.
    const handle = await this.openChecked(path, O_NONBLOCK);
    try {
      const stats = fstatSync(handle.fd);
      if (!stats.isFile()) throw new Skipped(stats.isFIFO() ? 'fifo' : stats.isDirectory() ? 'vanished' : 'device');
      return { handle, size: stats.size };
    } catch (error) {
      await handle.close();
      throw skippedFor(error);
    }
  }

  private async openChecked(path: Buffer, flags: number): Promise<FileHandle> {
    const absolute = this.absolute(path);
    let handle: FileHandle | undefined;
    try {
      handle = await open(absolute, O_RDONLY | O_NOFOLLOW | flags);
      const place = kernelPathOf(handle) ?? (await realpath(absolute, { encoding: 'buffer' }));
      if (!place.equals(absolute)) throw new Skipped('moved_outside');
      return handle;
    } catch (error) {
      await handle?.close();
      throw skippedFor(error);
    }
  }

  private absolute(path: Buffer): Buffer {
    if (path.length === 0) return this.root;
    return this.root.equals(SLASH) ? Buffer.concat([SLASH, path]) : Buffer.concat([this.root, SLASH, path]);
  }
}

const EMPTY = Buffer.alloc(0);

/**
 * Where an open file lies, null on systems without /proc. This, like fstat, is answered from the kernel's memory: the
 * thread pool would cost ten times the call.
 */
function kernelPathOf(handle: FileHandle): Buffer | null {
  try {
    return readlinkSync(`/proc/self/fd/${handle.fd}`, { encoding: 'buffer' });
  } catch {
    return null;
  }
}

/** The error as a reason to skip, unless it says that this process, not the entry, is in trouble. */
export function skippedFor(error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EACCES':
    case 'EPERM':
      return new Skipped('unreadable');
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'EISDIR':
    case 'ESTALE':
      return new Skipped('vanished');
    case 'ENXIO':
    case 'ENODEV':
      return new Skipped('device');
    case 'ENAMETOOLONG':
      return new Skipped('name_too_long');
    case 'EIO':
    case 'EINVAL':
    case 'EOVERFLOW':
      return new Skipped('io_error');
    default:
      return error;
  }
}
