import { nodeFingerprint, nodeId } from '#shared/store/graph/graph-ids';
import { type EdgeDraft, MAX_TEXT_LENGTH, type NodeDraft, type NodeRef } from '#shared/store/graph/graph-model';
import { storableJson, storableText } from '#shared/store/graph/storable-text';
import type { JsonObject } from '#shared/domain/json';

interface StagedNode {
  readonly id: string;
  readonly node: Required<NodeDraft>;
}

interface StagedEdge {
  readonly kind: string;
  readonly from: string;
  readonly to: string;
  readonly elseTo: string | null;
}

const MAX_ROWS = 1_000;
const MAX_CHARACTERS = 1_000_000;

/** Rows on their way to the staged tables: how many there may be, and as what columns they go. */
export class GraphStaging {
  private nodes: StagedNode[] = [];
  private edges: StagedEdge[] = [];
  private characters = 0;

  constructor(private readonly repository: string) {}

  get full(): boolean {
    return this.nodes.length + this.edges.length >= MAX_ROWS || this.characters >= MAX_CHARACTERS;
  }

  addNode(draft: NodeDraft): void {
    const ref = storableRef(draft);
    const node = {
      ...ref,
      name: storableText(draft.name),
      position: draft.position ?? 0,
      properties: storableJson(draft.properties ?? {}) as JsonObject,
      text: storableText((draft.text ?? '').slice(0, MAX_TEXT_LENGTH)),
    };
    this.nodes.push({ id: nodeId(this.repository, ref), node });
    this.characters += node.text.length;
  }

  addEdge(edge: EdgeDraft): void {
    this.edges.push({
      kind: edge.kind,
      from: this.idOf(edge.from),
      to: this.idOf(edge.to),
      elseTo: edge.elseTo === undefined ? null : this.idOf(edge.elseTo),
    });
  }

  /** Takes out all nodes as the columns of `STAGE_NODES`, null when there are none. */
  takeNodes(): unknown[][] | null {
    const staged = this.nodes;
    if (staged.length === 0) return null;
    this.nodes = [];
    this.characters = 0;
    return [
      staged.map(({ id }) => id),
      staged.map(({ node }) => node.kind),
      staged.map(({ node }) => node.path),
      staged.map(({ node }) => node.key),
      staged.map(({ node }) => node.name),
      staged.map(({ node }) => node.position),
      staged.map(({ node }) => JSON.stringify(node.properties)),
      staged.map(({ node }) => node.text),
      staged.map(({ node }) => nodeFingerprint(node)),
    ];
  }

  /** Takes out all edges as the columns of `STAGE_EDGES`, null when there are none. */
  takeEdges(): unknown[][] | null {
    const staged = this.edges;
    if (staged.length === 0) return null;
    this.edges = [];
    return [
      staged.map(({ kind }) => kind),
      staged.map(({ from }) => from),
      staged.map(({ to }) => to),
      staged.map(({ elseTo }) => elseTo),
    ];
  }

  private idOf(ref: NodeRef): string {
    return nodeId(this.repository, storableRef(ref));
  }
}

function storableRef(ref: NodeRef): Required<NodeRef> {
  return { kind: ref.kind, path: storableText(ref.path), key: storableText(ref.key ?? '') };
}
