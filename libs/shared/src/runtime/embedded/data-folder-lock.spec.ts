import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataFolder } from './data-folder-lock';

describe('lockDataFolder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('refuses a folder that a living process has, and names the process', async () => {
    const release = await lockDataFolder(folder);
    await expect(lockDataFolder(folder)).rejects.toThrow(`in use by the process with pid ${process.pid}`);
    await release();
  });

  it('can be taken again once it was given back, and leaves nothing behind', async () => {
    await (
      await lockDataFolder(folder)
    )();
    await (
      await lockDataFolder(folder)
    )();
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes over from an owner whose pid belongs to a later process', async () => {
    await writeFile(join(folder, 'owner.lock'), JSON.stringify({ pid: process.pid, startMark: 'long ago' }));
    const release = await lockDataFolder(folder);
    await expect(lockDataFolder(folder)).rejects.toThrow('in use');
    await release();
  });

  it('takes over a lock file that holds nothing of use', async () => {
    await writeFile(join(folder, 'owner.lock'), '');
    await (
      await lockDataFolder(folder)
    )();
  });

  it('gives a folder to exactly one of many who ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(folder)));
    const taken = asked.filter((result) => result.status === 'fulfilled');
    expect(taken).toHaveLength(1);
  });
});
