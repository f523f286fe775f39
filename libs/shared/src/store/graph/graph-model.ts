import type { JsonObject } from '#shared/domain/json';

/** Who writes a part of the graph. A layer's run changes and deletes only what the same layer wrote. */
export type GraphLayer = 'filesystem' | 'documentation';

/** What makes a repository the same one: another branch of the same source is another repository. */
export interface RepositoryKey {
  /** The real path of a folder, or the URL. */
  readonly source: string;
  readonly sourceType: 'local_path' | 'git_url';
  readonly branch: string | null;
}

export interface RepositoryDraft extends RepositoryKey {
  readonly name: string;
  readonly commit: string | null;
}

/** What names a node within its repository. */
export interface NodeRef {
  readonly kind: string;
  /** Relative to the repository, with `/`; empty for the repository itself. */
  readonly path: string;
  /** Tells nodes of one kind in one file apart, e.g. a heading's anchor; left out where the path is enough. */
  readonly key?: string;
}

export interface NodeDraft extends NodeRef {
  readonly name: string;
  /** Orders the nodes of one path, e.g. a line number; default 0. */
  readonly position?: number;
  readonly properties?: JsonObject;
  /** What a search finds besides name and path. At most `MAX_TEXT_LENGTH` characters of it are kept. */
  readonly text?: string;
}

export interface EdgeDraft {
  readonly kind: string;
  readonly from: NodeRef;
  readonly to: NodeRef;
  /** Where the edge goes when `to` is not in the repository. */
  readonly elseTo?: NodeRef;
}

/** Longer texts would pass Postgres's limit of 1 MiB for the words of one row. */
export const MAX_TEXT_LENGTH = 65_536;

/** What a run changed. */
export interface GraphChanges {
  readonly nodes: {
    readonly inserted: number;
    readonly updated: number;
    readonly deleted: number;
    readonly unchanged: number;
  };
  readonly edges: { readonly inserted: number; readonly deleted: number; readonly unchanged: number };
  /** Edges that were left out because no node is where they should go, by the kind of node that they come from. */
  readonly unresolved: Readonly<Record<string, number>>;
  /** A run that began later has already been committed: its newer view stands and this run changed nothing. */
  readonly superseded: boolean;
}
