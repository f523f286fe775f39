import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { GraphStore } from '#shared/store/graph/graph-store';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import type { JsonObject } from '#shared/domain/json';
import { DocumentationHandler } from '../../apps/step-worker/src/handlers/documentation/documentation-handler';
import { FilesystemHandler } from '../../apps/step-worker/src/handlers/filesystem/filesystem-handler';
import { type GraphStage, openGraphStage, type RunOptions, runHandler, SourceFolder } from './graph-stage';

const SAMPLE = {
  '.gitignore': 'dist/\n*.log\n',
  'README.md': '# Sample\n\nSee [the code](src/main.ts), [setup](docs/guide.md#setup) and [nothing](gone.md).\n',
  'docs/guide.md':
    '# Guide\n\n## Setup\n\nRun it. [Home](../README.md) [site](https://site.example)\n\n## Use\n\nUse it.\n',
  'docs/notes.txt': 'plain notes',
  'src/main.ts': 'export const answer = 42;\n',
  'src/empty.ts': '',
  'dist/main.js': 'built',
  'run.log': 'log',
};

describe('ingesting a folder', () => {
  let stage: GraphStage;
  let source: SourceFolder;
  let filesystem: FilesystemHandler;
  let documentation: DocumentationHandler;

  beforeAll(async () => {
    stage = await openGraphStage();
  });

  afterAll(() => stage.close());

  beforeEach(async () => {
    source = await SourceFolder.make();
    const store = new GraphStore(stage.database);
    filesystem = new FilesystemHandler(store, [source.path]);
    documentation = new DocumentationHandler(store, [source.path]);
  });

  afterEach(() => source.remove());

  const ingest = (run: Partial<RunOptions> = {}) => runHandler(filesystem, { source: source.path, ...run });
  const document = (run: Partial<RunOptions> = {}) => runHandler(documentation, { source: source.path, ...run });

  async function nodes(kind: string): Promise<{ path: string; name: string; properties: JsonObject }[]> {
    return stage.test.query(
      `SELECT n.path, n.name, n.properties FROM nodes n JOIN repositories r ON r.id = n.repository_id
       WHERE r.source = $1 AND n.kind = $2 ORDER BY n.path, n.position, n.key`,
      [source.path, kind],
    );
  }

  async function edges(kind: string): Promise<string[]> {
    const rows = await stage.test.query<{ edge: string }>(
      `SELECT concat(f.kind, ' ', f.path, '#', f.key, ' -> ', t.kind, ' ', t.path, '#', t.key) AS edge
       FROM edges e JOIN nodes f ON f.id = e.from_id JOIN nodes t ON t.id = e.to_id
       JOIN repositories r ON r.id = e.repository_id WHERE r.source = $1 AND e.kind = $2 ORDER BY 1`,
      [source.path, kind],
    );
    return rows.map(({ edge }) => edge);
  }

  const pathsOf = async (kind: string): Promise<string[]> => (await nodes(kind)).map(({ path }) => path);

  it('records what git would list, with size, hash and language', async () => {
    await source.write(SAMPLE);
    const git = (...args: string[]): string => execFileSync('git', ['-C', source.path, ...args], { encoding: 'utf8' });
    git('init', '--quiet');
    const listed = git('ls-files', '-z', '--others', '--exclude-standard').split('\0').filter(Boolean);
    const output = await ingest();
    expect(output).toMatchObject({
      ...{ files: listed.length, directories: 2, skipped: { ignored: 2 }, nodes: listed.length + 3 },
      ...{ edges: listed.length + 2, inserted: listed.length + 3, updated: 0, deleted: 0, unchanged: 0 },
      languages: { 'ignore-list': 1, markdown: 2, text: 1, typescript: 2 },
      bytes: Object.entries(SAMPLE).reduce((sum, [path, text]) => sum + (listed.includes(path) ? text.length : 0), 0),
    });
    expect(await pathsOf('file')).toEqual(listed.sort());
    expect(await pathsOf('directory')).toEqual(['docs', 'src']);
    expect((await nodes('file')).find(({ path }) => path === 'src/main.ts')).toEqual({
      ...{ path: 'src/main.ts', name: 'main.ts' },
      properties: {
        ...{ size: 26, language: 'typescript', binary: false },
        hash: createHash('sha256').update(SAMPLE['src/main.ts']).digest('hex'),
      },
    });
    expect(await edges('contains')).toContain('directory src# -> file src/main.ts#');
  });

  it('changes only what has changed', async () => {
    await source.write(SAMPLE);
    await ingest();
    await document();
    expect(await ingest()).toMatchObject({ inserted: 0, updated: 0, deleted: 0, unchanged: 9 });
    expect(await document()).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    await source.write({ 'src/main.ts': 'changed', 'src/new.ts': '' });
    await source.remove('docs/notes.txt');
    await source.remove('src/empty.ts');
    expect(await ingest()).toMatchObject({ inserted: 1, updated: 1, deleted: 2, unchanged: 6 });
    expect(await document()).toMatchObject({ inserted: 0, updated: 0, deleted: 1 });
    expect(await ingest({ options: { ignore_patterns: ['src/', '!docs'] } })).toMatchObject({
      deleted: 3,
      inserted: 0,
    });
    expect(await pathsOf('file')).toEqual(['.gitignore', 'README.md', 'docs/guide.md']);
  });

  it('records headings, links and where they lead', async () => {
    await source.write(SAMPLE);
    await ingest();
    expect(await document()).toMatchObject({
      ...{ documents: 3, headings: 4, links: 5, external_links: 1, broken_links: 1, truncated: 0, skipped: {} },
      formats: { markdown: 2, text: 1 },
    });
    expect(await edges('links_to')).toEqual([
      'document README.md# -> file src/main.ts#',
      'document README.md# -> heading docs/guide.md#setup',
      'document docs/guide.md# -> file README.md#',
      'link README.md#docs/guide.md#setup -> heading docs/guide.md#setup',
      'link README.md#src/main.ts -> file src/main.ts#',
      'link docs/guide.md#../README.md -> file README.md#',
    ]);
    expect(await edges('contains')).toContain('heading docs/guide.md#guide -> heading docs/guide.md#use');
    const ignoring = await document({ options: { ignore_patterns: ['docs/'] } });
    expect(ignoring).toMatchObject({ documents: 1, skipped: { ignored: 2 }, deleted: 7 });
  });

  it('skips and counts what cannot be read and takes odd names as they are', async () => {
    const names = [
      'spa ce',
      'ünï日本',
      'line\nbreak.md',
      'quo\'te"s',
      'back\\slash',
      '-dash',
      '$(x)',
      '#hash.md',
      '{a,b}',
      '💥.txt',
    ];
    await source.write(Object.fromEntries(names.map((name) => [`odd/${name}`, name])));
    await source.writeBytes(Buffer.from([0x61, 0xff, 0x2e, 0x6d, 0x64]), '# Latin');
    await source.write({
      'line.md': `# Long\n\n${'word '.repeat(200_000)}`,
      'binary.md': '# x\0',
      'nul.txt': `${'a'.repeat(9_000)}\0`,
    });
    await symlink('/etc/passwd', join(source.path, 'link'));
    await symlink('nowhere', join(source.path, 'broken'));
    await symlink('.', join(source.path, 'loop'));
    execFileSync('mkfifo', [join(source.path, 'pipe')]);
    const server = createServer().listen(join(source.path, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      expect(await ingest()).toMatchObject({ files: 14, skipped: { symlink: 3, fifo: 1, socket: 1 } });
      expect(await pathsOf('file')).toEqual(expect.arrayContaining(names.map((name) => `odd/${name}`)));
      const [latin] = (await nodes('file')).filter(({ path }) => path === 'a\uFFFDff.md');
      expect(latin?.properties.path_bytes).toBe(Buffer.from([0x61, 0xff, 0x2e, 0x6d, 0x64]).toString('base64'));
      expect(await document()).toMatchObject({ documents: 6, skipped: { binary: 1 }, truncated: 1, headings: 2 });
      expect((await nodes('heading')).map(({ name }) => name)).toEqual(['Latin', 'Long']);
    } finally {
      server.close();
    }
  });

  it.each([
    [{ source: '/' }, /outside the configured roots/],
    [{ source: '/etc' }, /outside the configured roots/],
    [{ source: 'missing' }, /does not exist/],
    [{ source: 'a-file' }, /is not a directory/],
    [{ source: 'leads-out' }, /outside the configured roots/],
    [{ source: null, sourceType: null }, /names no source/],
    [{ source: 'https://git.example/x', sourceType: 'git_url' as const }, /git_url are not supported/],
  ])('refuses %j for good', async (run, why) => {
    await source.write({ 'a-file': '' });
    await symlink('/etc', join(source.path, 'leads-out'));
    for (const handler of [filesystem, documentation]) {
      const running = runHandler(handler, run);
      await expect(running).rejects.toThrow(why);
      await expect(running).rejects.toBeInstanceOf(PermanentError);
    }
  });

  it('refuses documents of a source that no filesystem step has recorded', async () => {
    const running = document();
    await expect(running).rejects.toBeInstanceOf(PermanentError);
    await expect(running).rejects.toMatchObject({ code: 'repository_missing' });
  });

  it('reports rising progress and stops when its attempt must end, leaving the graph as it was', async () => {
    await source.write(SAMPLE);
    await ingest();
    await source.write(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`many/${index}.md`, '# H'])));
    for (const handler of [filesystem, documentation]) {
      const abort = new AbortController();
      const onProgress = (percent: number): void => {
        if (percent > 40) abort.abort(new Error('cancelled'));
      };
      const running = runHandler(handler, { source: source.path, signal: abort.signal, onProgress });
      await expect(running).rejects.toThrow('cancelled');
      expect(await stage.test.query('SELECT FROM graph_runs')).toEqual([]);
      if (handler === filesystem) expect(await pathsOf('file')).toHaveLength(6);
      const seen: number[] = [];
      await runHandler(handler, { source: source.path, onProgress: (percent) => seen.push(percent) });
      expect(seen.length).toBeGreaterThan(20);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(95);
    }
  });

  it('does not take a source that vanishes meanwhile for an empty one', async () => {
    await source.write({ ...SAMPLE, '.gitignore': '**/a/**/b/**/c/**/d' });
    await ingest();
    const files = await pathsOf('file');
    // The warning about that line comes just before the root is listed.
    const running = ingest({ onLog: () => rmSync(source.path, { recursive: true }) });
    await expect(running).rejects.toBeInstanceOf(TransientError);
    await expect(running).rejects.toThrow('the source can no longer be read: vanished');
    expect(await pathsOf('file')).toEqual(files);
  });

  it('gives two ingests at once the same whole result', async () => {
    await source.write(SAMPLE);
    await source.write(
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`many/${index}.md`, `# ${index}`])),
    );
    const outputs = await Promise.all([ingest(), ingest(), ingest()]);
    for (const output of outputs) expect(output).toMatchObject({ files: 306 });
    expect(await pathsOf('file')).toHaveLength(306);
    await Promise.all([document(), document(), ingest()]);
    expect(await pathsOf('document')).toHaveLength(303);
    expect(await edges('contains')).toHaveLength(306 + 3 + 303 + 304 + 5);
  });
});
