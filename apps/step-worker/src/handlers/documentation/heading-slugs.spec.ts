import * as fc from 'fast-check';
import { HeadingSlugs } from './heading-slugs';

describe('HeadingSlugs', () => {
  it.each([
    ['Getting started!', 'getting-started'],
    ['`npm run demo` & more', 'npm-run-demo--more'],
    ['Über_uns – 2', 'über_uns--2'],
    ['  C++ / C#  ', 'c--c'],
    ['日本語', '日本語'],
    ['!!!', ''],
  ])('makes %j %j, as GitHub does', (heading, slug) => {
    expect(new HeadingSlugs().next(heading)).toBe(slug);
  });

  it('numbers what is there already', () => {
    const slugs = new HeadingSlugs();
    const made = ['Same', 'same', 'Same 1', 'same', 'same-1'].map((heading) => slugs.next(heading));
    expect(made).toEqual(['same', 'same-1', 'same-1-1', 'same-2', 'same-1-2']);
  });

  it('never gives the same twice', () => {
    const heading = fc.stringMatching(/^[ab](-[12]){0,3}$/);
    fc.assert(
      fc.property(fc.array(heading, { maxLength: 30 }), (headings) => {
        const slugs = new HeadingSlugs();
        const made = headings.map((text) => slugs.next(text));
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });
});
