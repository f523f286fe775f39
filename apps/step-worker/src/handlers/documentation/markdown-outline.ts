import MarkdownIt from 'markdown-it';
import type Token from 'markdown-it/lib/token.mjs';
import type { DocumentOutline } from './document-outline';
import { OutlineBuilder } from './outline-builder';

/**
 * Longer paragraphs are taken as plain text: what is inside a paragraph takes the parser time that grows with the square
 * of its length, and one line of a megabyte would hold up the worker for minutes.
 */
const MAX_PARAGRAPH_LENGTH = 10_000;

/** Of what is longer only so much is read: each line of a list or cell of a table takes a kilobyte of memory. */
const MAX_LINES = 50_000;
const MAX_LINE_LENGTH = 20_000;

const markdown = new MarkdownIt({ html: true });
// Targets are kept as they are written, not percent-encoded.
markdown.normalizeLink = (target) => target;
markdown.core.ruler.before('inline', 'long_paragraphs', ({ tokens }) => {
  for (const token of tokens) {
    if (token.type === 'inline' && token.content.length > MAX_PARAGRAPH_LENGTH) token.type = 'plain';
  }
});

/** Headings, links and text of Markdown: CommonMark, tables, bare http addresses; of HTML in it the text and links. */
export function outlineOfMarkdown(source: string): DocumentOutline {
  const { title, body, lines } = withoutFrontMatter(source);
  const read = boundedLines(body);
  const outline = new OutlineBuilder(title);
  let line = 1;
  let heading: { level: number; line: number } | null = null;
  for (const token of markdown.parse(read.text, {})) {
    // Cells of a table have no line of their own; their row has.
    if (token.map) line = lines + token.map[0] + 1;
    if (token.type === 'heading_open') {
      heading = { level: Number(token.tag.slice(1)), line };
    } else if (token.type === 'inline') {
      const inline = readInline(token.children ?? []);
      if (heading) outline.heading(heading.level, inline.text, heading.line);
      else outline.paragraph(inline.text);
      for (const link of inline.links) outline.link(link.target, link.text, line, link.image);
      heading = null;
    } else if (token.type === 'plain') {
      outline.paragraph(token.content);
      heading = null;
    } else if (token.type === 'fence' || token.type === 'code_block') {
      outline.paragraph(token.content.trimEnd());
    } else if (token.type === 'html_block') {
      outline.paragraph(textOfHtml(token.content));
      for (const target of targetsOfHtml(token.content)) outline.link(target, '', line, false);
    }
  }
  const built = outline.build();
  return read.cut ? { ...built, truncated: true } : built;
}

function boundedLines(text: string): { text: string; cut: boolean } {
  const lines = text.split(/\r\n?|\n/, MAX_LINES + 1);
  const cut = lines.length > MAX_LINES || lines.some((line) => line.length > MAX_LINE_LENGTH);
  const kept = lines.slice(0, MAX_LINES).map((line) => line.slice(0, MAX_LINE_LENGTH));
  return { text: kept.join('\n'), cut };
}

/** The title that a YAML block at the top gives, and the document without that block. */
function withoutFrontMatter(source: string): { title: string | null; body: string; lines: number } {
  const block = /^---[ \t]*\r?\n([\s\S]{0,20000}?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(source);
  if (!block) return { title: null, body: source, lines: 0 };
  const title = /^title:[ \t]*(["']?)(.{1,500}?)\1[ \t]*\r?$/m.exec(block[1] ?? '')?.[2] ?? null;
  return { title, body: source.slice(block[0].length), lines: block[0].split('\n').length - 1 };
}

interface InlineLink {
  readonly target: string;
  readonly text: string;
  readonly image: boolean;
}

function readInline(tokens: readonly Token[]): { text: string; links: InlineLink[] } {
  let text = '';
  const links: InlineLink[] = [];
  let open: { target: string; from: number } | null = null;
  for (const token of tokens) {
    if (token.type === 'softbreak' || token.type === 'hardbreak') text += ' ';
    else if (token.type === 'link_open') open = { target: token.attrGet('href') ?? '', from: text.length };
    else if (token.type === 'link_close' && open) {
      links.push({ target: open.target, text: text.slice(open.from), image: false });
      open = null;
    } else if (token.type === 'image') {
      text += token.content;
      links.push({ target: token.attrGet('src') ?? '', text: token.content, image: true });
    } else if (token.type === 'html_inline') {
      for (const target of targetsOfHtml(token.content)) links.push({ target, text: '', image: false });
    } else {
      text += token.content;
      if (token.type === 'text' && !open) links.push(...bareAddresses(token.content));
    }
  }
  return { text: text.trim(), links };
}

function bareAddresses(text: string): InlineLink[] {
  return Array.from(text.matchAll(/\bhttps?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]/g), ([target]) => {
    return { target, text: target, image: false };
  });
}

function targetsOfHtml(html: string): string[] {
  return Array.from(html.matchAll(/\b(?:href|src)=["']([^"'<>]+)["']/gi), ([, target = '']) => target);
}

function textOfHtml(html: string): string {
  const [first = '', ...rest] = html.split('<!--');
  const afterComments = rest.map((part) => part.split('-->').slice(1).join('-->'));
  return [first, ...afterComments]
    .join(' ')
    .replace(/<[^<>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
