import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { type SourceTree, skippedFor } from '../source/source-tree';
import { isBinary, languageOf } from './language';

export interface FileFacts {
  /** Bytes that were there when it was opened. */
  readonly size: number;
  /** SHA-256 of the content in hexadecimal; null when the file is too large to be read. */
  readonly hash: string | null;
  readonly language: string | null;
  readonly binary: boolean;
}

const CHUNK_BYTES = 65_536;

/**
 * Reads a file once, in pieces. Of one that grows meanwhile only what was there at first is read, of one that shrinks
 * what is left.
 * @param maxBytes of a larger file only the beginning is read, for its language
 * @throws Skipped when it cannot be read; the signal's reason when that is aborted
 */
export async function readFileFacts(
  tree: SourceTree,
  path: Buffer,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<FileFacts> {
  const { handle, size } = await tree.file(path);
  try {
    return size > maxBytes ? await glance(handle, name, size) : await digest(handle, name, size, signal);
  } catch (error) {
    throw skippedFor(error);
  } finally {
    await handle.close();
  }
}

async function glance(handle: FileHandle, name: string, size: number): Promise<FileFacts> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES));
  const start = buffer.subarray(0, bytesRead);
  return { size, hash: null, language: languageOf(name, start), binary: isBinary(start) };
}

async function digest(handle: FileHandle, name: string, size: number, signal: AbortSignal): Promise<FileFacts> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  let done = 0;
  let language: string | null = languageOf(name, EMPTY);
  let binary = false;
  while (done < size) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - done));
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    if (done === 0) {
      language = languageOf(name, chunk);
      binary = isBinary(chunk);
    }
    hash.update(chunk);
    done += bytesRead;
  }
  return { size: done, hash: hash.digest('hex'), language, binary };
}

const EMPTY = Buffer.alloc(0);
