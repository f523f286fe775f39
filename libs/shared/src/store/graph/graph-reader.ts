import type { DataSource } from 'typeorm';
import type { JsonObject } from '#shared/domain/json';

export interface RepositoryView {
  readonly id: string;
  readonly source: string;
  readonly source_type: 'local_path' | 'git_url';
  readonly branch: string | null;
  readonly commit: string | null;
  readonly name: string;
  /** How many there are, by kind. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly edges: Readonly<Record<string, number>>;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface NodeView {
  readonly id: string;
  readonly kind: string;
  readonly path: string;
  readonly name: string;
  readonly properties: JsonObject;
}

export interface EdgeView {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
}

/** Where a page ended: the sort values of its last item. */
export type Place = readonly (string | number)[];

/** A page of at most `limit` items; `next` is where the following one begins, null at the end. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next: Place | null;
}

export interface NodeFilter {
  readonly kind?: string;
  readonly path?: string;
  readonly name?: string;
}

export interface EdgeFilter {
  readonly kind?: string;
  readonly from?: string;
  readonly to?: string;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const REPOSITORIES = `
SELECT r.id, r.source, r.source_type, r.branch, r.commit, r.name, r.created_at, r.updated_at,
       r.created_at::text AS place, l.node_counts, l.edge_counts
FROM repositories r
CROSS JOIN LATERAL (SELECT jsonb_agg(node_counts) AS node_counts, jsonb_agg(edge_counts) AS edge_counts
                    FROM graph_layers WHERE repository_id = r.id) l`;

/** What the REST API tells of the graph. Every list is keyset paged. */
export class GraphReader {
  constructor(private readonly database: DataSource) {}

  /** Repositories, the oldest first. A place is `[created_at, id]`. */
  async repositories(limit: number, after?: Place): Promise<Page<RepositoryView>> {
    const rows: RepositoryRow[] = await this.database.query(
      `${REPOSITORIES} ${after ? 'WHERE (r.created_at, r.id) > ($2::timestamptz, $3::uuid)' : ''}
       ORDER BY r.created_at, r.id LIMIT $1`,
      [limit + 1, ...(after ?? [])],
    );
    return pageOf(rows, limit, repositoryView, (row) => [row.place, row.id]);
  }

  /** The repository, or null when no such id (well formed or not) exists. */
  async repository(id: string): Promise<RepositoryView | null> {
    if (!UUID.test(id)) return null;
    const rows: RepositoryRow[] = await this.database.query(`${REPOSITORIES} WHERE r.id = $1`, [id]);
    return rows[0] ? repositoryView(rows[0]) : null;
  }

  /** Nodes by path and place in it. A place is `[path's first 256 characters, position, id]`. */
  async nodes(repository: string, filter: NodeFilter, limit: number, after?: Place): Promise<Page<NodeView>> {
    const where = new Conditions('repository_id = ?', repository);
    if (filter.kind !== undefined) where.and('kind = ?', filter.kind);
    if (filter.path !== undefined) where.and('left(path, 256) = left(?, 256) AND path = ?', filter.path, filter.path);
    if (filter.name !== undefined) where.and('left(name, 128) = left(?, 128) AND name = ?', filter.name, filter.name);
    if (after) where.and('(left(path, 256), position, id) > (?, ?::int, ?::uuid)', ...after);
    const rows: (NodeView & { position: number; place: string })[] = await this.database.query(
      `SELECT id, kind, path, name, properties, position, left(path, 256) AS place FROM nodes
       WHERE ${where.text} ORDER BY left(path, 256), position, id LIMIT ${limit + 1}`,
      where.values,
    );
    const view = ({ id, kind, path, name, properties }: NodeView): NodeView => ({ id, kind, path, name, properties });
    return pageOf(rows, limit, view, (row) => [row.place, row.position, row.id]);
  }

  /** Edges by kind and ends. A place is `[kind, from, to]`. */
  async edges(repository: string, filter: EdgeFilter, limit: number, after?: Place): Promise<Page<EdgeView>> {
    const where = new Conditions('repository_id = ?', repository);
    if (filter.kind !== undefined) where.and('kind = ?', filter.kind);
    if (filter.from !== undefined) where.and('from_id = ?', filter.from);
    if (filter.to !== undefined) where.and('to_id = ?', filter.to);
    if (after) where.and('(kind, from_id, to_id) > (?, ?::uuid, ?::uuid)', ...after);
    const rows: EdgeView[] = await this.database.query(
      `SELECT from_id AS "from", to_id AS "to", kind FROM edges
       WHERE ${where.text} ORDER BY kind, from_id, to_id LIMIT ${limit + 1}`,
      where.values,
    );
    return pageOf(
      rows,
      limit,
      (row) => row,
      (row) => [row.kind, row.from, row.to],
    );
  }
}

interface RepositoryRow extends Omit<RepositoryView, 'nodes' | 'edges' | 'created_at' | 'updated_at'> {
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly place: string;
  readonly node_counts: Record<string, number>[] | null;
  readonly edge_counts: Record<string, number>[] | null;
}

function repositoryView(row: RepositoryRow): RepositoryView {
  const { id, source, source_type, branch, commit, name } = row;
  return {
    ...{ id, source, source_type, branch, commit, name },
    nodes: sumByKind(row.node_counts ?? []),
    edges: sumByKind(row.edge_counts ?? []),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

function sumByKind(layers: readonly Record<string, number>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const layer of layers) {
    for (const [kind, count] of Object.entries(layer)) sums[kind] = (sums[kind] ?? 0) + count;
  }
  return sums;
}

/** `rows` holds one more than the page when there is a next one. */
function pageOf<Row, Item>(
  rows: Row[],
  limit: number,
  view: (row: Row) => Item,
  placeOf: (row: Row) => Place,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(view), next: rows.length > limit && last !== undefined ? placeOf(last) : null };
}

/** A WHERE clause: each `?` becomes the number of its value. */
class Conditions {
  readonly values: unknown[] = [];
  text = '';

  constructor(condition: string, ...values: unknown[]) {
    this.and(condition, ...values);
  }

  and(condition: string, ...values: unknown[]): void {
    const numbered = condition.replace(/\?/g, () => `$${this.values.push(values.shift())}`);
    this.text = this.text === '' ? numbered : `${this.text} AND ${numbered}`;
  }
}
