import { createHash } from 'node:crypto';
import { canonicalJson } from '#shared/domain/json';
import type { NodeDraft, NodeRef, RepositoryKey } from '#shared/store/graph/graph-model';

/** A UUID (version 8) that follows from the parts; separate parts never run together. */
function uuidOf(...parts: string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  return digest.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
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
