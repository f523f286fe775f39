import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer, type NatsServerBinary } from './nats-server-binary';
import { isTooOld } from './nats-server-packages';

describe('findNatsServer', () => {
  let root: string;
  let pathFolder: string;
  let cache: string;
  let said: string[];
  let downloads: string[];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sluice-nats-binary-'));
    pathFolder = join(root, 'bin');
    cache = join(root, 'cache');
    said = [];
    downloads = [];
    await mkdir(pathFolder);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  function find(fetchArchive?: (url: string) => Promise<Buffer>): Promise<NatsServerBinary> {
    return findNatsServer((line) => said.push(line), {
      env: { PATH: pathFolder, SLUICE_CACHE_DIR: cache },
      fetchArchive: (url) => {
        downloads.push(url);
        return fetchArchive?.(url) ?? Promise.reject(new Error('the network is closed'));
      },
    });
  }

  async function placeProgram(path: string, version: string): Promise<string> {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`);
    await chmod(path, 0o755);
    return path;
  }

  it('takes a current one on PATH before the cache', async () => {
    const path = await placeProgram(join(pathFolder, 'nats-server'), '2.10.3');
    await placeProgram(join(cache, 'nats-server-2.12.2'), '2.12.2');
    expect(await find()).toEqual({ path, version: '2.10.3' });
  });

  it('takes the cached one before an old one on PATH, and asks nobody', async () => {
    await placeProgram(join(pathFolder, 'nats-server'), '2.9.25');
    const path = await placeProgram(join(cache, 'nats-server-2.12.2'), '2.12.2');
    expect(await find()).toEqual({ path, version: '2.12.2' });
    expect(downloads).toEqual([]);
  });

  it('passes over a program that does not run here', async () => {
    await writeFile(join(pathFolder, 'nats-server'), 'not a program', { mode: 0o755 });
    const path = await placeProgram(join(cache, 'nats-server-2.12.2'), '2.12.2');
    expect((await find()).path).toBe(path);
  });

  it('never runs a download whose checksum is not the published one', async () => {
    await placeProgram(join(pathFolder, 'nats-server'), '2.9.25');
    expect((await find(() => Promise.resolve(Buffer.from('tampered')))).version).toBe('2.9.25');
    if (process.platform === 'linux') expect(said.join('\n')).toMatch(/SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}/);
  });

  it('falls back to an old one on PATH with a warning when every other way fails', async () => {
    const path = await placeProgram(join(pathFolder, 'nats-server'), '2.9.10');
    expect(await find()).toEqual({ path, version: '2.9.10' });
    expect(said.at(-1)).toContain('2.9.10 on PATH is old');
  });

  it('says what to do when there is none, and does not take one that is too old', async () => {
    await placeProgram(join(pathFolder, 'nats-server'), '2.8.4');
    await expect(find()).rejects.toThrow(/put nats-server 2\.10 or later on PATH[^]*install Go[^]*NATS_URL/);
    expect(said.filter((line) => line.startsWith('nats-server: no '))).toHaveLength(3);
  });
});

describe('isTooOld', () => {
  it.each([
    ['2.9.10', true],
    ['2.10.0', false],
    ['2.12.2', false],
    ['1.99.0', true],
    ['3.0.0', false],
  ])('%s below 2.10: %s', (version, expected) => {
    expect(isTooOld(version, 10)).toBe(expected);
  });
});
