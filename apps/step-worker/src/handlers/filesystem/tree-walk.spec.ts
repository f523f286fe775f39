import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { SourceTree } from '../source/source-tree';
import { MAX_DEPTH, type TreeEntry, walkTree } from './tree-walk';

describe('walkTree', () => {
  let root: string;
  const warnings: string[] = [];

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'walk-')));
    warnings.length = 0;
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  async function write(files: Record<string, string>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
  }

  async function walk(ignores: (path: string) => boolean = () => false): Promise<TreeEntry[]> {
    const entries: TreeEntry[] = [];
    const { signal } = new AbortController();
    const onWarning = (message: string): number => warnings.push(message);
    for await (const entry of walkTree(await SourceTree.at(root), { signal, ignores, onWarning })) entries.push(entry);
    return entries;
  }

  const filesOf = (entries: TreeEntry[]): string[] =>
    entries.filter((entry) => entry.kind === 'file').map((entry) => entry.path);

  /** What git would track of the tree; it lists links too. */
  function gitFiles(): string[] {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', root, '-c', 'core.excludesFile=', ...args], { encoding: 'utf8' });
    git('init', '--quiet');
    return git('ls-files', '-z', '--others', '--exclude-standard').split('\0').filter(Boolean);
  }

  it('agrees with git on nested .gitignore files', async () => {
    const names = [
      'a.log',
      'b.txt',
      'keep.log',
      'SHOUT.LOG',
      'x y.txt',
      'build/out.js',
      'lib/build/in.js',
      'lib/a.log',
      'lib/keep.log',
    ];
    const tree = [
      ...names,
      'we[i]rd/a.log',
      'we[i]rd/b.txt',
      '#odd/!a.txt',
      '#odd/b.txt',
      'deep/er/c/d.txt',
      'lib/deep/keep.log',
      'lib/deep/a.log',
      'lib/deep/build/x.js',
      'we[i]rd/deep/b.txt',
      'ü/é.tmp',
    ];
    await write(Object.fromEntries(tree.map((path) => [path, path])));
    await write({
      '.gitignore': '# comment\n*.log\n!keep.log\n/build/\nx\\ y.txt\n*.tmp \r\n\n/\n',
      'lib/.gitignore': '!a.log\nkeep.log\n/build',
      'we[i]rd/.gitignore': '/b.txt\n!*.log\n',
      '#odd/.gitignore': '\\!a.txt',
      'deep/.gitignore': '**/c/**\n',
      'ü/.gitignore': '!é.tmp',
    });
    expect(filesOf(await walk()).sort()).toEqual(gitFiles().sort());
  });

  it('agrees with git on any patterns and trees', async () => {
    const name = fc.constantFrom('a', 'b', 'c.x', 'aa');
    const path = fc.array(name, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/'));
    const segment = fc.constantFrom('a', 'b', '*', '*.x', 'a*', '?', '[ab]', '**', 'c.*', 'd.[!x]');
    const pattern = fc
      .record({
        negated: fc.boolean(),
        rooted: fc.boolean(),
        folder: fc.boolean(),
        parts: fc.oneof(fc.tuple(segment), fc.array(segment, { minLength: 2, maxLength: 3 })),
      })
      .map(({ negated, rooted, folder, parts }) => {
        return `${negated ? '!' : ''}${rooted ? '/' : ''}${parts.join('/')}${folder ? '/' : ''}`;
      });
    const rules = fc.array(pattern, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n'));
    const trees = fc.record({
      files: fc.array(path, { minLength: 10, maxLength: 30 }),
      ignores: fc.dictionary(fc.constantFrom('', 'a', 'a/b', 'b'), rules, { minKeys: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(trees, async ({ files, ignores }) => {
        await rm(root, { recursive: true, force: true });
        await mkdir(root);
        // A name may be wanted as a file and as a folder: the first one has it.
        for (const file of files) await write({ [file]: '' }).catch(() => undefined);
        for (const [folder, lines] of Object.entries(ignores)) {
          await write({ [join(folder, '.gitignore')]: lines }).catch(() => undefined);
        }
        expect(filesOf(await walk()).sort()).toEqual(gitFiles().sort());
      }),
      { numRuns: 40 },
    );
  });

  it('leaves out .git, links, sockets and pipes, and counts what it leaves out', async () => {
    await write({ '.git/config': '', 'sub/.git': 'gitdir: x', 'sub/file': '', '.gitignore': 'no*', no: '' });
    await symlink('/etc', join(root, 'link'));
    await symlink('nowhere', join(root, 'broken'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const entries = await walk((path) => path === 'sub/file');
      const left = entries.flatMap((entry) => (entry.kind === 'skipped' ? [[entry.path, entry.reason]] : []));
      expect(filesOf(entries)).toEqual(['.gitignore']);
      expect(Object.fromEntries(left)).toEqual({
        ...{ link: 'symlink', broken: 'symlink', pipe: 'fifo', socket: 'socket' },
        ...{ no: 'ignored', 'sub/file': 'ignored' },
      });
    } finally {
      server.close();
    }
  });

  it('goes down so far and no further', async () => {
    await write({ [`${'d/'.repeat(MAX_DEPTH + 1)}file`]: '', [`${'d/'.repeat(MAX_DEPTH)}file`]: '' });
    const entries = await walk();
    expect(filesOf(entries)).toEqual([`${'d/'.repeat(MAX_DEPTH)}file`]);
    expect(entries).toContainEqual({
      kind: 'skipped',
      path: 'd/'.repeat(MAX_DEPTH + 1).slice(0, -1),
      reason: 'too_deep',
    });
  });

  it('does without .gitignore lines that would take for ever, and without a .gitignore that is a link', async () => {
    await write({ '.gitignore': '**/a/**/a/**/a/**/b\n*.no', 'x.no': '', yes: '', 'sub/x': '' });
    await symlink('../.gitignore', join(root, 'sub', '.gitignore'));
    expect(filesOf(await walk()).sort()).toEqual(['.gitignore', 'sub/x', 'yes']);
    expect(warnings).toEqual(['/.gitignore: "**/a/**/a/**/a/**/b" is not used: it has more than three "**"']);
  });

  it('stops when its attempt must end', async () => {
    await write({ a: '', b: '' });
    const abort = new AbortController();
    const options = { signal: abort.signal, ignores: () => false, onWarning: () => undefined };
    const entries = walkTree(await SourceTree.at(root), options);
    await entries.next();
    abort.abort(new Error('enough'));
    await expect(entries.next()).rejects.toThrow('enough');
  });
});
