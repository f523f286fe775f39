import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { repositoryId } from '#shared/store/graph/graph-ids';
import type { GraphLayer, RepositoryDraft, RepositoryKey } from '#shared/store/graph/graph-model';
import { GraphRun } from '#shared/store/graph/graph-run';
import { BEGIN_RUN, PURGE_RUNS } from '#shared/store/graph/graph-statements';

/** Far longer than a living run is silent: it writes every thousand rows. */
const DEAD_AFTER = '6 hours';

const FILE_PAGE = `
SELECT id, path, position, properties, left(path, 256) AS place FROM nodes
WHERE repository_id = $1 AND kind = 'file' AND (left(path, 256), position, id) > ($2, $3, $4)
ORDER BY left(path, 256), position, id LIMIT $5`;

/** A file that the filesystem step recorded. */
export interface RecordedFile {
  readonly path: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** What steps do with the graph: begin a run that replaces their layer, and read what the filesystem step found. */
export class GraphStore {
  constructor(private readonly database: DataSource) {}

  /** Begins a pass of `layer` over the repository, which is created when the run commits. */
  async beginRun(repository: RepositoryDraft, layer: GraphLayer): Promise<GraphRun> {
    await this.database.query(PURGE_RUNS, [DEAD_AFTER]);
    const id = randomUUID();
    const repositoryKey = repositoryId(repository);
    const [begun]: { generation: string }[] = await this.database.query(BEGIN_RUN, [id, repositoryKey, layer]);
    if (begun === undefined) throw new Error('a run was begun without a generation');
    return new GraphRun(this.database, id, repositoryKey, repository, layer, begun.generation);
  }

  /** How many files the filesystem step recorded of the repository, null when it never did. */
  async countFiles(repository: RepositoryKey): Promise<number | null> {
    const rows: { files: number }[] = await this.database.query(
      `SELECT coalesce((node_counts->>'file')::int, 0) AS files FROM graph_layers
       WHERE repository_id = $1 AND layer = 'filesystem' AND committed_at IS NOT NULL`,
      [repositoryId(repository)],
    );
    return rows[0]?.files ?? null;
  }

  /** The recorded files by path, in pages: memory does not grow with the repository. */
  async *files(repository: RepositoryKey, pageSize = 500): AsyncGenerator<RecordedFile> {
    const id = repositoryId(repository);
    let after: [string, number, string] = ['', -1, '00000000-0000-0000-0000-000000000000'];
    for (;;) {
      const page: (RecordedFile & { id: string; position: number; place: string })[] = await this.database.query(
        FILE_PAGE,
        [id, ...after, pageSize],
      );
      yield* page;
      const last = page.at(-1);
      if (!last || page.length < pageSize) return;
      after = [last.place, last.position, last.id];
    }
  }
}
