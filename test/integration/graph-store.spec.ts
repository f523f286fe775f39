import type { EdgeDraft, GraphLayer, NodeDraft, RepositoryDraft } from '#shared/store/graph/graph-model';
import { nodeId, repositoryId } from '#shared/store/graph/graph-ids';
import type { GraphRun } from '#shared/store/graph/graph-run';
import { GraphStore } from '#shared/store/graph/graph-store';
import { type GraphStage, openGraphStage } from './graph-stage';

const file = (path: string, size = 1): NodeDraft => ({ kind: 'file', path, name: path, properties: { size } });
const contains = (path: string): EdgeDraft => ({
  kind: 'contains',
  from: { kind: 'repository', path: '' },
  to: { kind: 'file', path },
});
const root: NodeDraft = { kind: 'repository', path: '', name: 'r' };

describe('GraphStore', () => {
  let stage: GraphStage;
  let store: GraphStore;
  let repository: RepositoryDraft;
  let count = 0;

  beforeAll(async () => {
    stage = await openGraphStage();
    store = new GraphStore(stage.database);
  });

  afterAll(() => stage.close());

  beforeEach(() => {
    count += 1;
    repository = { source: `/source/${count}`, sourceType: 'local_path', branch: null, name: 'r', commit: null };
  });

  async function begin(paths: string[], size = 1, layer: GraphLayer = 'filesystem'): Promise<GraphRun> {
    const run = await store.beginRun(repository, layer);
    await run.add([root, ...paths.map((path) => file(path, size))], paths.map(contains));
    return run;
  }

  const id = (): string => repositoryId(repository);
  const paths = async (): Promise<string[]> => {
    const rows = await stage.test.query<{ path: string }>(
      `SELECT path FROM nodes WHERE repository_id = $1 AND kind = 'file' ORDER BY path`,
      [id()],
    );
    return rows.map((row) => row.path);
  };
  const edges = (): Promise<{ kind: string; from_id: string; to_id: string }[]> =>
    stage.test.query('SELECT kind, from_id, to_id FROM edges WHERE repository_id = $1', [id()]);
  const staged = async (): Promise<number> => {
    const [row] = await stage.test.query<{ rows: number }>(
      'SELECT ((SELECT count(*) FROM staged_nodes) + (SELECT count(*) FROM staged_edges) + (SELECT count(*) FROM graph_runs))::int AS rows',
    );
    return row?.rows ?? -1;
  };

  it('inserts, updates and deletes only what differs', async () => {
    await (await begin(['a', 'b', 'c'])).commit();
    const before = await stage.test.query('SELECT path, ctid, xmin FROM nodes WHERE repository_id = $1 ORDER BY path', [
      id(),
    ]);
    const again = await (await begin(['a', 'b', 'c'])).commit();
    expect(again.nodes).toEqual({ inserted: 0, updated: 0, deleted: 0, unchanged: 4 });
    expect(again.edges).toEqual({ inserted: 0, deleted: 0, unchanged: 3 });
    const after = await stage.test.query('SELECT path, ctid, xmin FROM nodes WHERE repository_id = $1 ORDER BY path', [
      id(),
    ]);
    expect(after).toEqual(before);

    const run = await store.beginRun(repository, 'filesystem');
    await run.add([root, file('a'), file('b', 2), file('d')], ['a', 'b', 'd'].map(contains));
    const changes = await run.commit();
    expect(changes.nodes).toEqual({ inserted: 1, updated: 1, deleted: 1, unchanged: 2 });
    expect(changes.edges).toEqual({ inserted: 1, deleted: 1, unchanged: 2 });
    expect(await paths()).toEqual(['a', 'b', 'd']);
    expect(await staged()).toBe(0);
  });

  it('shows nothing before the commit and nothing of a discarded run', async () => {
    await (await begin(['a'])).commit();
    const run = await begin(Array.from({ length: 1_500 }, (_, index) => `new-${index}`));
    expect(await staged()).toBeGreaterThan(2_000);
    expect(await paths()).toEqual(['a']);
    await run.discard();
    expect(await paths()).toEqual(['a']);
    expect(await staged()).toBe(0);
  });

  it('keeps what another layer wrote', async () => {
    await (await begin(['a.md', 'b.md'])).commit();
    const document = (path: string): NodeDraft => ({ kind: 'document', path, name: path, text: 'words' });
    const run = await store.beginRun(repository, 'documentation');
    const holds = (path: string): EdgeDraft => ({ kind: 'contains', from: file(path), to: document(path) });
    await run.add([document('a.md'), document('b.md')], [holds('a.md'), holds('b.md')]);
    expect((await run.commit()).nodes.inserted).toBe(2);

    const changes = await (await begin(['a.md'], 7)).commit();
    expect(changes.nodes).toEqual({ inserted: 0, updated: 1, deleted: 1, unchanged: 1 });
    const documents = await stage.test.query(`SELECT path FROM nodes WHERE repository_id = $1 AND kind = 'document'`, [
      id(),
    ]);
    expect(documents).toHaveLength(2);
    // The edge from the file that is gone went with the file.
    expect((await edges()).filter(({ from_id }) => from_id === nodeId(id(), file('a.md')))).toHaveLength(1);
    expect(await edges()).toHaveLength(2);
  });

  it('leads an edge to what is there: its end, or else the other one, or nowhere', async () => {
    const link = (key: string): NodeDraft => ({ kind: 'link', path: 'a', key, name: key });
    const to = (from: NodeDraft, path: string): EdgeDraft => ({
      ...{ kind: 'links_to', from, to: file(path), elseTo: { kind: 'directory', path } },
    });
    const all = async (...there: NodeDraft[]) => {
      const run = await store.beginRun(repository, 'filesystem');
      await run.add([root, link('1'), link('2'), ...there], [to(link('1'), 'x'), to(link('2'), 'y'), to(root, 'y')]);
      return run.commit();
    };
    const directory: NodeDraft = { kind: 'directory', path: 'x', name: 'x' };
    const first = await all(directory);
    expect(first.edges).toEqual({ inserted: 1, deleted: 0, unchanged: 0 });
    expect(first.unresolved).toEqual({ link: 1, repository: 1 });
    expect(await edges()).toMatchObject([{ to_id: nodeId(id(), directory) }]);

    const second = await all(directory, file('x'), file('y'));
    expect(second.edges).toEqual({ inserted: 3, deleted: 1, unchanged: 0 });
    expect(second.unresolved).toEqual({});
    expect((await edges()).map(({ to_id }) => to_id)).not.toContain(nodeId(id(), directory));
    expect((await all(directory, file('x'), file('y'))).edges).toEqual({ inserted: 0, deleted: 0, unchanged: 3 });
  });

  it('keeps the first of two nodes with one name, and one of two equal edges', async () => {
    const run = await store.beginRun(repository, 'filesystem');
    await run.add([root, file('a', 1), file('a', 2)], [contains('a'), contains('a')]);
    const { nodes, edges: changed } = await run.commit();
    expect([nodes.inserted, changed.inserted]).toEqual([2, 1]);
    expect(
      await stage.test.query(`SELECT properties FROM nodes WHERE repository_id = $1 AND path = 'a'`, [id()]),
    ).toEqual([{ properties: { size: 1 } }]);
  });

  it('takes texts that Postgres cannot keep, and ones longer than it can index', async () => {
    const words = Array.from({ length: 60_000 }, (_, index) => `w${index.toString(36)}`).join(' ');
    const run = await store.beginRun(repository, 'filesystem');
    const odd = 'x'.repeat(4_000) + '\0 \uD800 ü\n"quoted" \\ {a,b} NULL';
    await run.add(
      [
        root,
        { kind: 'file', path: odd, name: odd, key: odd, text: words, properties: { ['k\0']: ['\uDFFF', { a: '\0' }] } },
      ],
      [{ kind: 'contains', from: root, to: { kind: 'file', path: odd, key: odd } }],
    );
    const { nodes, edges: changed } = await run.commit();
    expect([nodes.inserted, changed.inserted]).toEqual([2, 1]);
    const [row] = await stage.test.query<{ path: string; properties: unknown }>(
      `SELECT path, properties FROM nodes WHERE repository_id = $1 AND kind = 'file'`,
      [id()],
    );
    expect(row?.path).toBe(odd.replace('\0', '\uFFFD').replace('\uD800', '\uFFFD'));
    expect(row?.properties).toEqual({ 'k\uFFFD': ['\uFFFD', { a: '\uFFFD' }] });
  });

  it('lets the run that began later win, whichever ends last', async () => {
    const older = await begin(['old', 'both'], 1);
    const newer = await begin(['new', 'both'], 2);
    expect(await newer.commit()).toMatchObject({ superseded: false });
    expect(await older.commit()).toMatchObject({ superseded: true, nodes: { inserted: 0, deleted: 0 } });
    expect(await paths()).toEqual(['both', 'new']);
    expect(await staged()).toBe(0);
  });

  it('gives rival runs one whole result and never a deadlock', async () => {
    for (let round = 0; round < 10; round += 1) {
      const views = [0, 1, 2].map((rival) =>
        Array.from({ length: 300 }, (_, index) => `${(index * 7 + rival * 31) % 400}`),
      );
      const runs: GraphRun[] = [];
      for (const [rival, view] of views.entries()) {
        runs.push(await begin(rival % 2 ? view : view.toReversed(), round * 3 + rival));
      }
      const layers = await Promise.all([
        ...runs.map((run) => run.commit()),
        begin(['unrelated'], round, 'documentation').then((run) => run.commit()),
      ]);
      expect(layers.filter(({ superseded }) => !superseded).length).toBeGreaterThan(1);
      const rows = await stage.test.query<{ path: string; size: number }>(
        `SELECT path, (properties->>'size')::int AS size FROM nodes WHERE repository_id = $1 AND kind = 'file' AND layer = 'filesystem'`,
        [id()],
      );
      expect(new Set(rows.map(({ size }) => size))).toEqual(new Set([round * 3 + 2]));
      expect(rows.map(({ path }) => path).sort()).toEqual([...(views[2] ?? [])].sort());
    }
  });

  it('fails a run whose staged rows are gone instead of taking it for an empty source', async () => {
    await (await begin(['a'])).commit();
    const run = await begin(['b']);
    await stage.test.query('TRUNCATE graph_runs, staged_nodes, staged_edges');
    await expect(run.commit()).rejects.toThrow('has to begin anew');
    const beforeFlush = await store.beginRun(repository, 'filesystem');
    await stage.test.query('TRUNCATE graph_runs, staged_nodes, staged_edges');
    await expect(beforeFlush.commit()).rejects.toThrow('has to begin anew');
    expect(await paths()).toEqual(['a']);
  });

  it('forgets runs that nobody ended, and only those', async () => {
    const alive = await begin(Array.from({ length: 1_200 }, (_, index) => `a-${index}`));
    await begin(Array.from({ length: 1_200 }, (_, index) => `b-${index}`));
    await stage.test.query(`UPDATE graph_runs SET touched_at = now() - interval '7 hours'
                            WHERE generation = (SELECT max(generation) FROM graph_runs)`);
    const next = await begin([]);
    expect(await stage.test.query('SELECT FROM graph_runs')).toHaveLength(2);
    await next.discard();
    expect((await alive.commit()).nodes.inserted).toBe(1_201);
    expect(await staged()).toBe(0);
  });

  it('pages through the recorded files', async () => {
    expect(await store.countFiles(repository)).toBeNull();
    const names = Array.from({ length: 25 }, (_, index) => `${'long/'.repeat(60)}${index}`);
    await (await begin([...names, 'short'])).commit();
    const read: string[] = [];
    for await (const recorded of store.files(repository, 7)) read.push(recorded.path);
    expect(read.sort()).toEqual([...names, 'short'].sort());
    expect(await store.countFiles(repository)).toBe(26);
  });
});
