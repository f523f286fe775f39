import type { GraphChanges } from '#shared/store/graph/graph-model';

/** A run's changes as a step's output: how many nodes and edges there are, and what became of the nodes. */
export function changeCounts({ nodes, edges, superseded }: GraphChanges): Record<string, number | boolean> {
  return {
    nodes: nodes.inserted + nodes.updated + nodes.unchanged,
    edges: edges.inserted + edges.unchanged,
    ...nodes,
    ...(superseded ? { superseded } : {}),
  };
}
