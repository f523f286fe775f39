import * as fc from 'fast-check';
import { readTarget } from './link-target';

const inside = (path: string, anchor: string | null = null) => ({ place: 'inside', path, anchor });

describe('readTarget', () => {
  it.each([
    ['other.md', inside('docs/guide/other.md')],
    ['./other.md#Set-Up', inside('docs/guide/other.md', 'set-up')],
    ['../api.md', inside('docs/api.md')],
    ['../../src/main.ts#L10', inside('src/main.ts', 'l10')],
    ['../../', inside('')],
    ['/README.md', inside('README.md')],
    ['/', inside('')],
    ['sub/', inside('docs/guide/sub')],
    ['#anchor', inside('docs/guide/start.md', 'anchor')],
    ['', inside('docs/guide/start.md')],
    ['?plain=1#x', inside('docs/guide/start.md', 'x')],
    ['a%20b.md?raw=true', inside('docs/guide/a b.md')],
    ['100%.md', inside('docs/guide/100%.md')],
    ['#%C3%9Cber', inside('docs/guide/start.md', 'über')],
    ['../../../x', { place: 'outside' }],
    ['https://example.org/x', { place: 'external' }],
    ['//example.org', { place: 'external' }],
    ['MAILTO:a@b', { place: 'external' }],
  ])('reads %j', (target, expected) => {
    expect(readTarget(target, 'docs/guide/start.md')).toEqual(expected);
  });

  it('never leads above the root', () => {
    const part = fc.constantFrom('..', '.', 'a', '', '%2e%2e', '%2F', '..%2f');
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.constantFrom('x', 'y'), { maxLength: 3 }),
        (to, from) => {
          const read = readTarget(to.join('/'), [...from, 'doc.md'].join('/'));
          if (read.place === 'inside') expect(`/${read.path}/`).not.toMatch(/\/\.{1,2}\/|\/\/./);
        },
      ),
    );
  });
});
