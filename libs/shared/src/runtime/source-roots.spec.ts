import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveLocalSource } from '#shared/runtime/source-roots';

describe('resolveLocalSource', () => {
  let base: string;
  let root: string;

  beforeAll(async () => {
    base = await realpath(await mkdtemp(join(tmpdir(), 'roots-')));
    root = join(base, 'root');
    await mkdir(join(root, 'src'), { recursive: true });
    await mkdir(join(base, 'root-beside'));
    await mkdir(join(base, 'outside'));
    await writeFile(join(root, 'file.txt'), 'text');
    await symlink(join(base, 'outside'), join(root, 'leads-out'));
    await symlink(join(root, 'src'), join(root, 'leads-in'));
    await symlink(join(root, 'src'), join(base, 'outside', 'leads-back'));
    await symlink('loop', join(root, 'loop'));
    await symlink(join(base, 'root'), join(base, 'linked-root'));
  });

  afterAll(() => rm(base, { recursive: true, force: true }));

  const under = (path: string): string => path.replaceAll('BASE', base);
  const resolved = (path: string, roots = ['BASE/root']) => resolveLocalSource(under(path), roots.map(under));

  it.each([
    ['BASE/root', 'BASE/root'],
    ['BASE/root/', 'BASE/root'],
    ['BASE/root/src/../src', 'BASE/root/src'],
    ['BASE/root/leads-in', 'BASE/root/src'],
    ['BASE/outside/leads-back', 'BASE/root/src'],
    ['src', 'BASE/root/src'],
    ['.', 'BASE/root'],
  ])('takes %s', async (path, real) => {
    expect(await resolved(path)).toEqual({ ok: true, path: under(real) });
  });

  it.each([
    ['BASE', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['BASE/root-beside', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['BASE/root/../outside', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['BASE/root/leads-out', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['BASE/outside/not-there', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['../../../../etc', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['/', 'is outside the configured roots (SLUICE_SOURCE_ROOTS of the gateway and the workers)'],
    ['BASE/root/not-there', 'does not exist'],
    ['BASE/root/file.txt', 'is not a directory'],
    ['BASE/root/file.txt/below', 'is not a directory'],
    ['BASE/root/loop', 'is a loop of symbolic links'],
    ['', 'is not a path'],
    ['BASE/root/src\0', 'is not a path'],
    ['BASE/root/' + 'x'.repeat(300), 'does not exist'],
  ])('refuses %j: it %s', async (path, reason) => {
    expect(await resolved(path)).toEqual({ ok: false, reason });
  });

  it('takes a root that is itself a link, and one of several', async () => {
    expect(await resolved('BASE/root/src', ['BASE/linked-root'])).toMatchObject({ ok: true });
    expect(await resolved('BASE/root/src', ['BASE/missing', 'BASE/outside', 'BASE/root'])).toMatchObject({ ok: true });
  });

  it('allows everything under / and nothing without a root', async () => {
    expect(await resolved('BASE/outside', ['/'])).toMatchObject({ ok: true });
    expect(await resolved('BASE/outside', [])).toMatchObject({ ok: false });
  });
});
