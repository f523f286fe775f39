import * as fc from 'fast-check';
import { MAX_TEXT_LENGTH } from '#shared/store/graph/graph-model';
import { outlineOfMarkdown } from './markdown-outline';
import { outlineOfText } from './text-outline';
import { anyText } from '../../../../../test/support/any-text';

describe('outlineOfMarkdown', () => {
  it('finds headings of both kinds, with lines, anchors and the text below them', () => {
    const outline = outlineOfMarkdown(
      [
        'before',
        '',
        '# The *title* `x`',
        'one',
        'two',
        '',
        'Second',
        '------',
        '```sh',
        '# no heading',
        '```',
        '> # Quoted',
      ].join('\n'),
    );
    expect(outline).toMatchObject({ title: 'The title x', text: 'before', truncated: false, links: [] });
    expect(outline.sections).toEqual([
      { level: 1, name: 'The title x', slug: 'the-title-x', line: 3, text: 'one two' },
      { level: 2, name: 'Second', slug: 'second', line: 7, text: '# no heading' },
      { level: 1, name: 'Quoted', slug: 'quoted', line: 12, text: '' },
    ]);
  });

  it('finds links, images, bare addresses and those in HTML, each target once', () => {
    const { links } = outlineOfMarkdown(
      [
        '[top](a.md "title") ![logo](img/l.png) <https://auto.example>',
        '# H',
        'See https://bare.example/x?y=1. And (https://bare.example/z), [again](a.md) [ref][1] [empty]()',
        '<a href="html.md">x</a> `https://code.example` [with space](<b c.md>)',
        '',
        '<img src="block.png"> <!-- <a href="#c"> -->',
        '',
        '[1]: ref.md',
        '[unused]: unused.md',
      ].join('\r\n'),
    );
    expect(links.map(({ target, text, line, section, image }) => [target, text, line, section, image])).toEqual([
      ['a.md', 'top', 1, -1, false],
      ['img/l.png', 'logo', 1, -1, true],
      ['https://auto.example', 'https://auto.example', 1, -1, false],
      ['https://bare.example/x?y=1', 'https://bare.example/x?y=1', 3, 0, false],
      ['https://bare.example/z', 'https://bare.example/z', 3, 0, false],
      ['ref.md', 'ref', 3, 0, false],
      ['html.md', '', 3, 0, false],
      ['b c.md', 'with space', 3, 0, false],
      ['block.png', '', 6, 0, false],
      ['#c', '', 6, 0, false],
    ]);
  });

  it('takes the title from front matter and keeps line numbers right', () => {
    const outline = outlineOfMarkdown('---\ntitle: "Given: title"\ntags: [x]\n---\n\n# First\n');
    expect(outline.title).toBe('Given: title');
    expect(outline.sections).toMatchObject([{ name: 'First', line: 6 }]);
    expect(outline.text).toBe('');
  });

  it('takes the text out of HTML and tables', () => {
    const outline = outlineOfMarkdown(
      '<p align="x">Hello <b>there</b><!-- not > this --></p>\n\n|a|b|\n|-|-|\n|c|[d](e.md)|',
    );
    expect(outline.text.split('\n')).toEqual(['Hello there', 'a', 'b', 'c', 'd']);
    expect(outline.links).toMatchObject([{ target: 'e.md', line: 5 }]);
  });

  it.each([
    ['one line of a megabyte', 'word '.repeat(200_000)],
    ['a paragraph of a megabyte', 'word [x](y)\n'.repeat(80_000)],
    ['brackets without end', '['.repeat(300_000)],
    ['comments without end', '<!-- '.repeat(100_000)],
    ['addresses without end', 'mailto:a@http://'.repeat(20_000)],
    ['too many headings', '# h\n'.repeat(6_000)],
    ['too many links', Array.from({ length: 6_000 }, (_, index) => `[a](${index})`).join('\n\n')],
    ['too many lines', '\n'.repeat(60_000)],
    ['too much text in a section', 'word\n\n'.repeat(20_000)],
  ])('cuts %s short and says so', (_, source) => {
    const outline = outlineOfMarkdown(source);
    expect(outline.truncated).toBe(true);
    expect(outline.text.length).toBeLessThanOrEqual(MAX_TEXT_LENGTH);
    expect(outline.links.length).toBeLessThanOrEqual(5_000);
  });

  it('makes something of any text', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '# ',
        '\n',
        '```',
        '[',
        '](',
        ')',
        '<a href="',
        '">',
        '---\n',
        '![',
        '|',
        '> ',
        '- ',
        '\0',
        '\uD800',
        '&#0;',
      ),
      anyText({ maxLength: 10 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const source = pieces.join('');
        const lines = source.split(/\r\n?|\n/).length;
        const { sections, links } = outlineOfMarkdown(source);
        expect(new Set(sections.map(({ slug }) => slug)).size).toBe(sections.length);
        for (const { line } of [...sections, ...links]) expect(line >= 1 && line <= lines).toBe(true);
        for (const { section } of links) expect(section >= -1 && section < sections.length).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('outlineOfText', () => {
  it('keeps the text, as much as there is room for', () => {
    expect(outlineOfText('plain\n# text')).toMatchObject({ text: 'plain\n# text', sections: [], truncated: false });
    expect(outlineOfText('x'.repeat(MAX_TEXT_LENGTH + 1))).toMatchObject({ truncated: true });
  });
});
