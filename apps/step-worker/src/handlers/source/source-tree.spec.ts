import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Skipped, skippedFor, SourceTree } from './source-tree';

describe('SourceTree', () => {
  let base: string;
  let tree: SourceTree;

  beforeEach(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), 'tree-')));
    await mkdir(join(base, 'root/sub'), { recursive: true });
    await mkdir(join(base, 'outside'));
    await writeFile(join(base, 'root/sub/file'), 'inside');
    await writeFile(join(base, 'outside/file'), 'secret');
    tree = await SourceTree.at(join(base, 'root'));
  });

  afterEach(() => rm(base, { recursive: true, force: true }));

  const read = async (path: string): Promise<string> => {
    const { handle } = await tree.file(Buffer.from(path));
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  };

  it('reads what is inside', async () => {
    expect(await read('sub/file')).toBe('inside');
  });

  it('does not go through a folder that has become a link', async () => {
    await rename(join(base, 'root/sub'), join(base, 'root/was'));
    await symlink(join(base, 'outside'), join(base, 'root/sub'));
    await expect(read('sub/file')).rejects.toMatchObject({ reason: 'moved_outside' });
    await expect(tree.directory(Buffer.from('sub'))).rejects.toMatchObject({ reason: 'vanished' });
    await expect(read('was/../../outside/file')).rejects.toMatchObject({ reason: 'moved_outside' });
  });

  it('does not follow a file that has become a link', async () => {
    await symlink(join(base, 'outside/file'), join(base, 'root/link'));
    await expect(read('link')).rejects.toMatchObject({ reason: 'vanished' });
  });

  it('does not wait for a pipe that has taken the place of a file', async () => {
    execFileSync('mkfifo', [join(base, 'root/pipe')]);
    await expect(read('pipe')).rejects.toMatchObject({ reason: 'fifo' });
  });

  it.each([
    ['gone', 'vanished'],
    ['sub', 'vanished'],
    ['sub/file/below', 'vanished'],
    ['x'.repeat(300), 'name_too_long'],
  ])('says why %s is not a file to read', async (path, reason) => {
    await expect(read(path)).rejects.toMatchObject({ reason });
  });

  it('refuses a root that is not there', async () => {
    await expect(SourceTree.at(join(base, 'gone'))).rejects.toMatchObject({ reason: 'vanished' });
  });
});

describe('skippedFor', () => {
  it.each([
    ['EACCES', 'unreadable'],
    ['EPERM', 'unreadable'],
    ['ESTALE', 'vanished'],
    ['EIO', 'io_error'],
    ['ENXIO', 'device'],
  ])('takes %s for a fault of the entry', (code, reason) => {
    const skipped = skippedFor(Object.assign(new Error(code), { code }));
    expect(skipped).toBeInstanceOf(Skipped);
    expect(skipped).toMatchObject({ reason });
  });

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'ERR_INVALID_ARG_TYPE'])(
    'leaves %s as it is: the entry has no part in it',
    (code) => {
      const error = Object.assign(new Error(code), { code });
      expect(skippedFor(error)).toBe(error);
    },
  );
});
