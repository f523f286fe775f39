import type { JsonObject } from '#shared/domain/json';
import type { EdgeDraft, NodeDraft, NodeRef } from '#shared/store/graph/graph-model';
import type { DocumentOutline, Link } from './document-outline';
import { type LinkTarget, readTarget } from './link-target';

export interface DocumentGraph {
  readonly nodes: NodeDraft[];
  readonly edges: EdgeDraft[];
  readonly externalLinks: number;
}

/**
 * A document as nodes and edges: the file contains the document, that its top headings, those the ones below them; a
 * link is contained by its section. A link into the repository links to a file, directory or heading there, and so
 * does the document itself, so that one hop tells which documents speak of a file.
 */
export function graphOfDocument(path: string, format: string, outline: DocumentOutline): DocumentGraph {
  const document: NodeDraft = {
    ...{ kind: 'document', path, name: path.slice(path.lastIndexOf('/') + 1), text: outline.text },
    properties: {
      ...{ format, title: outline.title, truncated: outline.truncated },
      ...{ headings: outline.sections.length, links: outline.links.length },
    },
  };
  const nodes = [document];
  const edges: EdgeDraft[] = [contains({ kind: 'file', path }, document)];
  const headings = addHeadings(path, outline, document, nodes, edges);
  let externalLinks = 0;
  for (const link of outline.links) {
    const target = readTarget(link.target, path);
    if (target.place === 'external') externalLinks += 1;
    const node = linkNode(path, link, target);
    nodes.push(node);
    edges.push(contains(headings[link.section] ?? document, node));
    if (target.place === 'inside') edges.push(...referencesTo(target, node, document));
  }
  return { nodes, edges, externalLinks };
}

/** Returns the headings' nodes in their order. */
function addHeadings(
  path: string,
  outline: DocumentOutline,
  document: NodeRef,
  nodes: NodeDraft[],
  edges: EdgeDraft[],
): NodeDraft[] {
  const above: { level: number; node: NodeRef }[] = [];
  return outline.sections.map(({ level, name, slug, line, text }) => {
    const properties: JsonObject = { level, line, anchor: slug };
    const node: NodeDraft = { kind: 'heading', path, key: slug, name, position: line, properties, text };
    while ((above.at(-1)?.level ?? 0) >= level) above.pop();
    nodes.push(node);
    edges.push(contains(above.at(-1)?.node ?? document, node));
    above.push({ level, node });
    return node;
  });
}

function linkNode(path: string, { target, text, line, image }: Link, { place }: LinkTarget): NodeDraft {
  return {
    ...{ kind: 'link', path, key: target, name: text || target, position: line },
    properties: { target, external: place === 'external', image, line },
  };
}

function referencesTo(
  { path, anchor }: LinkTarget & { place: 'inside' },
  link: NodeRef,
  document: NodeRef,
): EdgeDraft[] {
  const file = { kind: 'file', path };
  const whole = path === '' ? { to: { kind: 'repository', path } } : { to: file, elseTo: { kind: 'directory', path } };
  const ends = anchor === null ? whole : { to: { kind: 'heading', path, key: anchor }, elseTo: file };
  const fromLink = { kind: 'links_to', from: link, ...ends };
  return path === document.path ? [fromLink] : [fromLink, { ...fromLink, from: document }];
}

function contains(from: NodeRef, to: NodeRef): EdgeDraft {
  return { kind: 'contains', from, to };
}
