import type { DocumentOutline } from './document-outline';
import { OutlineBuilder } from './outline-builder';

/** A document of which only the text is known: no headings, no links. */
export function outlineOfText(source: string): DocumentOutline {
  const outline = new OutlineBuilder(null);
  outline.paragraph(source);
  return outline.build();
}
