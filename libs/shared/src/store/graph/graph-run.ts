import type { DataSource, EntityManager } from 'typeorm';
import type { EdgeDraft, GraphChanges, GraphLayer, NodeDraft, RepositoryDraft } from '#shared/store/graph/graph-model';
import { GraphStaging } from '#shared/store/graph/graph-staging';
import * as sql from '#shared/store/graph/graph-statements';

/** Merging a large tree may take longer than an ordinary statement may. */
const COMMIT_TIMEOUT = '10min';

/**
 * One pass of one layer over one repository. What is added stays apart until `commit` makes the layer equal to it in
 * one transaction, so that readers see the old view or the new one, a pass that fails leaves nothing behind, and of
 * two passes at the same time the one that began later wins as a whole. Holds at most about 1,000 rows in memory.
 * One caller at a time: await each call before the next.
 */
export class GraphRun {
  private readonly staging: GraphStaging;

  constructor(
    private readonly database: DataSource,
    private readonly id: string,
    readonly repositoryId: string,
    private readonly repository: RepositoryDraft,
    private readonly layer: GraphLayer,
    private readonly generation: string,
  ) {
    this.staging = new GraphStaging(repositoryId);
  }

  /** Adds nodes and edges, in any order; of two nodes with the same kind, path and key the first is kept. */
  async add(nodes: readonly NodeDraft[], edges: readonly EdgeDraft[]): Promise<void> {
    for (const node of nodes) {
      this.staging.addNode(node);
      if (this.staging.full) await this.flush();
    }
    for (const edge of edges) {
      this.staging.addEdge(edge);
      if (this.staging.full) await this.flush();
    }
  }

  /** Makes the layer equal to what was added: inserts, updates what differs, deletes the rest. Ends the run. */
  async commit(): Promise<GraphChanges> {
    await this.flush();
    return this.database.transaction(async (manager) => {
      const changes = await this.merge(manager);
      await manager.query(sql.END_RUN, [this.id]);
      return changes;
    });
  }

  /** Forgets what was added. A run that is neither committed nor discarded is forgotten after some hours. */
  async discard(): Promise<void> {
    await this.database.query(sql.END_RUN, [this.id]);
  }

  private async flush(): Promise<void> {
    const nodes = this.staging.takeNodes();
    if (nodes) await this.stage(sql.STAGE_NODES, nodes);
    const edges = this.staging.takeEdges();
    if (edges) await this.stage(sql.STAGE_EDGES, edges);
  }

  private async stage(statement: string, columns: unknown[][]): Promise<void> {
    const alive: unknown[] = await this.database.query(statement, [this.id, ...columns]);
    if (alive.length === 0) throw lost(this.id);
  }

  private async merge(manager: EntityManager): Promise<GraphChanges> {
    await manager.query(`SET LOCAL statement_timeout = '${COMMIT_TIMEOUT}'`);
    const { source, sourceType, branch, name, commit } = this.repository;
    await manager.query(sql.LOCK_REPOSITORY, [this.repositoryId, source, sourceType, branch, name, commit]);
    const claimed: { superseded: boolean }[] = await manager.query(sql.CLAIM_RUN, [this.id]);
    if (!claimed[0]) throw lost(this.id);
    if (claimed[0].superseded) return UNCHANGED;
    const changes = await this.replaceLayer(manager);
    await manager.query(sql.SEAL_LAYER, [this.repositoryId, this.layer, this.generation]);
    await manager.query(sql.TOUCH_REPOSITORY, [this.repositoryId, name, commit]);
    return changes;
  }

  private async replaceLayer(manager: EntityManager): Promise<GraphChanges> {
    const run = [this.id, this.repositoryId, this.layer];
    const layer = [this.repositoryId, this.layer];
    const before = await one<{ count: number }>(manager, sql.COUNT_EDGES, layer);
    const { deleted } = await one<{ deleted: number }>(manager, sql.DELETE_GONE_NODES, run);
    const merged = await one<{ inserted: number; updated: number; staged: number }>(manager, sql.MERGE_NODES, run);
    await manager.query(sql.DELETE_GONE_EDGES, run);
    const added = await one<{ inserted: number }>(manager, sql.MERGE_EDGES, run);
    const after = await one<{ count: number }>(manager, sql.COUNT_EDGES, layer);
    const unresolved: { kind: string; count: number }[] = await manager.query(sql.COUNT_UNRESOLVED, [this.id]);
    const { inserted, updated, staged } = merged;
    const kept = after.count - added.inserted;
    return {
      nodes: { inserted, updated, deleted, unchanged: staged - inserted - updated },
      edges: { inserted: added.inserted, deleted: before.count - kept, unchanged: kept },
      unresolved: Object.fromEntries(unresolved.map(({ kind, count }) => [kind, count])),
      superseded: false,
    };
  }
}

/** The one row that an aggregate always gives. */
async function one<Row>(manager: EntityManager, statement: string, values: unknown[]): Promise<Row> {
  const [row]: Row[] = await manager.query(statement, values);
  if (row === undefined) throw new Error('an aggregate gave no row');
  return row;
}

const UNCHANGED: GraphChanges = {
  nodes: { inserted: 0, updated: 0, deleted: 0, unchanged: 0 },
  edges: { inserted: 0, deleted: 0, unchanged: 0 },
  unresolved: {},
  superseded: true,
};

const lost = (id: string): Error => new Error(`what graph run ${id} had staged is gone; the step has to begin anew`);
