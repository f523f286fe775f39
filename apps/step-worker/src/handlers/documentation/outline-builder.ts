import { MAX_TEXT_LENGTH } from '#shared/store/graph/graph-model';
import type { DocumentOutline, Link, Section } from './document-outline';
import { HeadingSlugs } from './heading-slugs';

const MAX_SECTIONS = 5_000;
const MAX_LINKS = 5_000;
const MAX_NAME_LENGTH = 500;
const MAX_TARGET_LENGTH = 2_000;

/** Takes a document's headings, text and links in their order and keeps as much as there is room for. */
export class OutlineBuilder {
  private readonly slugs = new HeadingSlugs();
  private readonly sections: Section[] = [];
  private readonly links = new Map<string, Link>();
  private text = '';
  private current: string[] = [];
  private currentLength = 0;
  private truncated = false;

  constructor(private title: string | null) {}

  heading(level: number, name: string, line: number): void {
    if (this.sections.length >= MAX_SECTIONS) {
      this.truncated = true;
      return;
    }
    this.closeSection();
    const short = name.slice(0, MAX_NAME_LENGTH);
    if (level === 1) this.title ??= short;
    this.sections.push({ level, name: short, slug: this.slugs.next(short), line, text: '' });
  }

  paragraph(text: string): void {
    const room = MAX_TEXT_LENGTH - this.currentLength;
    if (text.length > room) this.truncated = true;
    if (text === '' || room <= 0) return;
    this.current.push(text.slice(0, room));
    this.currentLength += text.length + 1;
  }

  link(target: string, text: string, line: number, image: boolean): void {
    const short = target.trim().slice(0, MAX_TARGET_LENGTH);
    if (short === '' || short.startsWith('data:') || this.links.has(short)) return;
    if (this.links.size >= MAX_LINKS) {
      this.truncated = true;
      return;
    }
    const section = this.sections.length - 1;
    this.links.set(short, { target: short, text: text.slice(0, MAX_NAME_LENGTH), line, section, image });
  }

  build(): DocumentOutline {
    this.closeSection();
    const { title, text, sections, truncated } = this;
    return { title, text, sections, links: [...this.links.values()], truncated };
  }

  private closeSection(): void {
    const text = this.current.join('\n');
    const last = this.sections.pop();
    if (last) this.sections.push({ ...last, text });
    else this.text = text;
    this.current = [];
    this.currentLength = 0;
  }
}
