import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SourceTree } from '../source/source-tree';
import { type FileFacts, readFileFacts } from './file-facts';

const CONTENT = Buffer.alloc(300_000, 'line of text\n');
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

describe('readFileFacts', () => {
  let root: string;

  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'facts-')));
  });

  afterAll(() => rm(root, { recursive: true, force: true }));

  /** @param onPiece called before each piece is read */
  async function facts(name: string, content: Buffer, maxBytes = 1e9, onPiece?: () => void): Promise<FileFacts> {
    await writeFile(join(root, name), content);
    const signal = new AbortController().signal;
    if (onPiece) signal.throwIfAborted = onPiece;
    return readFileFacts(await SourceTree.at(root), Buffer.from(name), name, maxBytes, signal);
  }

  it.each([0, 1, 65_536, 65_537, 300_000])('hashes a file of %d bytes', async (size) => {
    const content = CONTENT.subarray(0, size);
    const expected = { size, hash: sha256(content), language: 'typescript', binary: false };
    expect(await facts('a.ts', content)).toEqual(expected);
  });

  it('takes of a growing file what was there at first, of a shrinking one what is left', async () => {
    const grown = await facts('growing', CONTENT, 1e9, () => void appendFile(join(root, 'growing'), CONTENT));
    expect(grown).toMatchObject({ size: CONTENT.length, hash: sha256(CONTENT) });
    await writeFile(join(root, 'shrinking'), CONTENT);
    const tree = await SourceTree.at(root);
    const { signal } = new AbortController();
    let shrunk: Promise<void> | undefined;
    signal.throwIfAborted = () => void (shrunk ??= truncate(join(root, 'shrinking'), 65_536));
    const left = await readFileFacts(tree, Buffer.from('shrinking'), 'shrinking', 1e9, signal);
    await shrunk;
    expect(left.hash).toBe(sha256(CONTENT.subarray(0, left.size)));
  });

  it('only glances at a file above the limit', async () => {
    const script = Buffer.concat([Buffer.from('#!/bin/sh\n'), CONTENT]);
    const expected = { size: script.length, hash: null, language: 'shell', binary: false };
    expect(await facts('large', script, 1_000)).toEqual(expected);
  });

  it('tells binary files', async () => {
    expect(await facts('image.bin', Buffer.from([1, 0, 2]))).toMatchObject({ binary: true, language: null });
  });

  it('stops when its attempt must end', async () => {
    const stop = (): void => {
      throw new Error('enough');
    };
    await expect(facts('any', CONTENT, 1e9, stop)).rejects.toThrow('enough');
  });
});
