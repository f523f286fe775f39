import { posix } from 'node:path';

/** Where a link of a document leads. */
export type LinkTarget =
  | { readonly place: 'external' }
  /** Above the root of the repository. */
  | { readonly place: 'outside' }
  /** `path` is '' for the root; `anchor` is null without one. */
  | { readonly place: 'inside'; readonly path: string; readonly anchor: string | null };

/**
 * Reads a link's target: a path relative to the document, or to the repository's root when it begins with a slash.
 * @param document the path of the document that holds the link
 */
export function readTarget(target: string, document: string): LinkTarget {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target) || target.startsWith('//')) return { place: 'external' };
  const [, written = '', fragment] = /^([^?#]*)(?:\?[^#]*)?(?:#(.*))?$/s.exec(target) ?? [];
  const anchor = fragment ? decoded(fragment).toLowerCase() : null;
  if (written === '') return { place: 'inside', path: document, anchor };
  const file = decoded(written);
  const base = file.startsWith('/') ? '' : posix.dirname(document);
  const path = posix.normalize(posix.join(base, file.replace(/^\/+/, './'))).replace(/\/+$/, '');
  if (path === '..' || path.startsWith('../')) return { place: 'outside' };
  return { place: 'inside', path: path === '.' ? '' : path, anchor };
}

/** Without percent signs; as it is written when they make no sense. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
