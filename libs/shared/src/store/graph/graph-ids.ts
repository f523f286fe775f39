import { hash } from 'node:crypto';
import { canonicalJson } from '#shared/domain/json';
import type { NodeDraft, NodeRef, RepositoryKey } from '#shared/store/graph/graph-model';

/** A UUID (version 8) that follows from the parts; separate parts never run together. */
function uuidOf(...parts: string[]): string {
  const hex = hash('sha256', JSON.stringify(parts));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function repositoryId(key: RepositoryKey): string {
  return uuidOf('repository', key.sourceType, key.source, key.branch ?? '');
}

export function nodeId(repository: string, ref: NodeRef): string {
  return uuidOf('node', repository, ref.kind, ref.path, ref.key ?? '');
}

/** Equal for equal content, so that an unchanged node is told by comparing 16 bytes. */
export function nodeFingerprint(node: NodeDraft): string {
  return uuidOf(node.name, String(node.position ?? 0), canonicalJson(node.properties ?? {}), node.text ?? '');
}
