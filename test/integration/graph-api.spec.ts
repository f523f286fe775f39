import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { repositoryId } from '#shared/store/graph/graph-ids';
import { GraphStore } from '#shared/store/graph/graph-store';
import { GraphModule } from '../../apps/gateway/src/graph/graph.module';
import { gatewayAdapter } from '../../apps/gateway/src/http/gateway-adapter';
import { ProblemFilter } from '../../apps/gateway/src/http/problem.filter';
import { DocumentationHandler } from '../../apps/step-worker/src/handlers/documentation/documentation-handler';
import { FilesystemHandler } from '../../apps/step-worker/src/handlers/filesystem/filesystem-handler';
import { type GraphStage, openGraphStage, runHandler, SourceFolder } from './graph-stage';

interface Answer {
  readonly status: number;
  readonly body: {
    items: Record<string, string>[];
    next_cursor: string | null;
    has_more: boolean;
    errors: { path: string; message: string }[];
  } & Record<string, unknown>;
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const SOURCE = {
  'src/graph-store.ts': 'code',
  'src/retryPolicy.ts': 'code',
  'about.md':
    '# About the walrus\n\nWalruses retry their dives with an exponential back-off.\n\n## Who\n\nSee src/graph-store.ts.\n',
  'other.md': '# Other\n\n[about](about.md) "quoted" <b>walrus</b> retry\n',
};

describe('the graph over HTTP', () => {
  let stage: GraphStage;
  let source: SourceFolder;
  let app: NestFastifyApplication;
  let id: string;

  beforeAll(async () => {
    stage = await openGraphStage();
    source = await SourceFolder.make();
    await source.write(SOURCE);
    const store = new GraphStore(stage.database);
    for (const Handler of [FilesystemHandler, DocumentationHandler]) {
      await runHandler(new Handler(store, [source.path]), { source: source.path });
    }
    const other = {
      source: '/elsewhere',
      sourceType: 'local_path' as const,
      branch: null,
      name: 'elsewhere',
      commit: null,
    };
    const run = await store.beginRun(other, 'filesystem');
    await run.add([{ kind: 'file', path: 'walrus.txt', name: 'walrus.txt' }], []);
    await run.commit();
    id = repositoryId({ source: source.path, sourceType: 'local_path', branch: null });
    app = await NestFactory.create<NestFastifyApplication>(GraphModule.register(stage.database), gatewayAdapter(), {
      logger: false,
    });
    app.useGlobalFilters(new ProblemFilter(pino({ level: 'silent' })));
    await app.init();
  });

  afterAll(async () => {
    await app.close();
    await source.remove();
    await stage.close();
  });

  async function get(path: string): Promise<Answer> {
    const { statusCode, body } = await app.inject(path);
    return { status: statusCode, body: JSON.parse(body) as Answer['body'] };
  }

  /** All items of a list, page by page. */
  async function all(path: string, limit: number): Promise<Record<string, string>[]> {
    const items: Record<string, string>[] = [];
    let cursor: string | null = null;
    do {
      const { body } = await get(
        `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`,
      );
      expect(body.items.length).toBeLessThanOrEqual(limit);
      expect(body.has_more).toBe(body.next_cursor !== null);
      items.push(...body.items);
      cursor = body.next_cursor;
    } while (cursor !== null);
    return items;
  }

  const nodes = (query: string): string => `/v1/repositories/${id}/nodes${query}`;

  it('lists repositories with what they hold', async () => {
    expect((await all('/v1/repositories', 1)).map((repository) => repository.source)).toEqual([
      source.path,
      '/elsewhere',
    ]);
    const { status, body } = await get(`/v1/repositories/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ id, source: source.path, source_type: 'local_path', branch: null, commit: null },
      nodes: { repository: 1, directory: 1, file: 4, document: 2, heading: 3, link: 1 },
      edges: { contains: 5 + 2 + 3 + 1, links_to: 2 },
    });
    expect(body.updated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it.each([1, 3, 200])('pages through nodes by path, %d at a time', async (limit) => {
    const items = await all(nodes(''), limit);
    expect(items.map(({ kind, path, name }) => `${path} ${kind} ${name}`)).toHaveLength(12);
    expect(items.map(({ path }) => path)).toEqual(items.map(({ path }) => path).sort());
    expect(new Set(items.map((item) => item.id)).size).toBe(12);
    expect((await all(nodes('?kind=heading'), limit)).map(({ name }) => name)).toEqual([
      'About the walrus',
      'Who',
      'Other',
    ]);
  });

  it('finds nodes by path and name', async () => {
    const found = await get(nodes('?path=about.md&kind=document'));
    expect(found.body.items).toEqual([
      {
        ...{ id: expect.any(String) as string, kind: 'document', path: 'about.md', name: 'about.md' },
        properties: { format: 'markdown', title: 'About the walrus', headings: 2, links: 0, truncated: false },
      },
    ]);
    expect((await get(nodes('?name=graph-store.ts'))).body.items).toMatchObject([
      { kind: 'file', path: 'src/graph-store.ts' },
    ]);
    expect((await get(nodes('?path='))).body.items).toMatchObject([{ kind: 'repository' }]);
    expect((await get(nodes('?kind=unheard_of'))).body).toEqual({ items: [], next_cursor: null, has_more: false });
  });

  it('follows edges from and to a node', async () => {
    const [about] = (await get(nodes('?path=about.md&kind=file'))).body.items;
    const edges = `/v1/repositories/${id}/edges`;
    const linking = await all(`${edges}?kind=links_to&to=${about?.id}`, 1);
    expect(linking).toHaveLength(2);
    expect(linking[0]).toEqual({ from: expect.any(String) as string, to: about?.id, kind: 'links_to' });
    expect(await all(`${edges}?from=${about?.id}`, 50)).toMatchObject([{ kind: 'contains' }]);
    expect(await all(edges, 4)).toHaveLength(13);
    expect(await all(`${edges}?from=${UNKNOWN}`, 50)).toEqual([]);
  });

  const search = async (q: string, rest = ''): Promise<Record<string, string>[]> =>
    (await get(`/v1/search?q=${encodeURIComponent(q)}${rest}`)).body.items;
  const found = async (q: string, rest = ''): Promise<string[]> =>
    (await search(q, rest)).map(({ kind, path, name }) => `${kind} ${path} ${name}`).sort();

  it('takes a word that is repeated for one word', async () => {
    expect(await search('walrus '.repeat(60).trim())).toEqual(await search('walrus'));
  });

  it('searches names, paths and texts', async () => {
    expect(await found('walrus', `&repository=${id}`)).toEqual([
      'heading about.md About the walrus',
      'heading other.md Other',
    ]);
    expect(await found('walrus', '&kind=file')).toEqual(['file walrus.txt walrus.txt']);
    expect(await found('retrying dive')).toEqual(['heading about.md About the walrus']);
    expect(await found('retry policy')).toEqual(['file src/retryPolicy.ts retryPolicy.ts']);
    expect(await found('who')).toEqual(['heading about.md Who']);
    expect(await found('src/graph-store.ts')).toEqual([
      'file src/graph-store.ts graph-store.ts',
      'heading about.md Who',
    ]);
    expect(await found('"back-off exponential"')).toEqual([]);
    expect(await found('"exponential back-off"')).toEqual(['heading about.md About the walrus']);
    expect(await found('walrus -dives', `&repository=${id}`)).toEqual(['heading other.md Other']);
    expect(await found('dives or quoted')).toEqual(['heading about.md About the walrus', 'heading other.md Other']);
    expect(await search('walrus', '&limit=1')).toHaveLength(1);
  });

  it('ranks a name above a mention and shows the words in their place', async () => {
    const hits = await search('walrus retry', `&repository=${id}`);
    expect(hits.map(({ path }) => path)).toEqual(['about.md', 'other.md']);
    expect(hits[0]).toEqual({
      ...{ repository_id: id, kind: 'heading', path: 'about.md', name: 'About the walrus' },
      snippet: '**Walruses** **retry** their dives with an exponential back-off',
      rank: expect.any(Number) as number,
    });
    expect(Number(hits[0]?.rank)).toBeGreaterThan(Number(hits[1]?.rank));
    expect((await search('graph', '&kind=file'))[0]).toMatchObject({ snippet: 'src/graph-store.ts' });
  });

  it.each(['&&&', '"', "')(!*:<->", '-', 'a'.repeat(500), '日本 ü', '\\', '%', '<script>', ':* & |'])(
    'takes %j for a question',
    async (q) => {
      expect(await get(`/v1/search?q=${encodeURIComponent(q)}`)).toEqual({ status: 200, body: { items: [] } });
    },
  );

  it.each([
    ['/v1/repositories?limit=0', 'limit'],
    ['/v1/repositories?limit=1000000', 'limit'],
    ['/v1/repositories?limit=1&limit=2', 'limit'],
    ['/v1/repositories?limit=ten', 'limit'],
    ['/v1/repositories?colour=red', 'colour'],
    ['/v1/repositories?cursor=abc', 'cursor'],
    ['/v1/repositories/ID?limit=1', 'limit'],
    ['/v1/repositories/ID/nodes?kind=A%00', 'kind'],
    ['/v1/repositories/ID/nodes?path=a%00b', 'path'],
    ['/v1/repositories/ID/nodes?cursor=eyJ4IjoxfQ.abcdefghijkl', 'cursor'],
    ['/v1/repositories/ID/edges?from=me', 'from'],
    ['/v1/search', 'q'],
    ['/v1/search?q=', 'q'],
    ['/v1/search?q=%20', 'q'],
    ['/v1/search?q=a%00', 'q'],
    [`/v1/search?q=${Array.from({ length: 33 }, (_, i) => `w${i}`).join('+')}`, 'q'],
    ['/v1/search?q=x&repository=me', 'repository'],
    ['/v1/search?q=x&limit=-1', 'limit'],
    ['/v1/search?q=x&cursor=y', 'cursor'],
  ])('refuses %s at %s', async (path, at) => {
    const { status, body } = await get(path.replace('ID', id));
    expect(status).toBe(422);
    expect(body.errors.map((fault) => fault.path)).toEqual([at]);
  });

  it('refuses the cursor of another question', async () => {
    const { body } = await get(nodes('?limit=1'));
    expect((await get(nodes(`?limit=2&cursor=${body.next_cursor}`))).status).toBe(200);
    expect((await get(nodes(`?kind=file&cursor=${body.next_cursor}`))).status).toBe(422);
    expect((await get(`/v1/repositories?cursor=${body.next_cursor}`)).status).toBe(422);
  });

  it.each([UNKNOWN, 'me', '%00', 'x'.repeat(300)])('knows no repository %s', async (unknown) => {
    for (const part of ['', '/nodes', '/edges']) {
      const { status, body } = await get(`/v1/repositories/${unknown}${part}`);
      expect([status, body.title]).toEqual([404, 'Not Found']);
    }
  });
});
