import type { DocumentationOptions } from '#shared/contracts/handlers/documentation';
import { type SourceTree, skippedFor } from '../source/source-tree';
import type { DocumentOutline } from './document-outline';
import { outlineOfMarkdown } from './markdown-outline';
import { outlineOfText } from './text-outline';

const MARKDOWN: ReadonlySet<string> = new Set(['markdown', 'mdx']);

/**
 * Reads a document, up to the configured size, and finds its headings, links and text. Formats other than Markdown
 * are taken as plain text.
 * @throws Skipped when the file cannot be read
 */
export async function readDocument(
  tree: SourceTree,
  path: Buffer,
  format: string,
  options: Pick<DocumentationOptions, 'max_document_bytes'>,
  signal: AbortSignal,
): Promise<DocumentOutline> {
  const { text, truncated } = await readText(tree, path, options.max_document_bytes);
  signal.throwIfAborted();
  const outline = MARKDOWN.has(format) ? outlineOfMarkdown(text) : outlineOfText(text);
  return truncated ? { ...outline, truncated } : outline;
}

async function readText(
  tree: SourceTree,
  path: Buffer,
  maxBytes: number,
): Promise<{ text: string; truncated: boolean }> {
  const { handle, size } = await tree.file(path);
  try {
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const truncated = size > maxBytes;
    const text = buffer.toString('utf8', 0, length).replace(/^\uFEFF/, '');
    // The cut may have gone through a character.
    return { text: truncated ? text.replace(/\uFFFD+$/, '') : text, truncated };
  } catch (error) {
    throw skippedFor(error);
  } finally {
    await handle.close();
  }
}
