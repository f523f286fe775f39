import fc from 'fast-check';
import { stillRows } from './still';

const idOf = (row: { readonly id: string }): string => row.id;
const rows = (ids: string, version = 1): { id: string; version: number }[] => [...ids].map((id) => ({ id, version }));
const drawn = (held: string, latest: string): string =>
  stillRows(rows(held), rows(latest, 2), idOf)
    .map(({ value, isGone }) => (isGone ? `(${value.id})` : value.id))
    .join('');

describe('rows under the pointer', () => {
  it.each([
    ['abc', 'abc', 'abc'],
    ['abc', 'ac', 'a(b)c'],
    ['abc', 'xabc', 'abc'],
    ['abc', 'abcde', 'abcde'],
    ['abc', 'cab', 'abc'],
    ['abc', 'xyz', '(a)(b)(c)'],
  ])('%s, then %s: shows %s', (held, latest, shown) => {
    expect(drawn(held, latest)).toBe(shown);
  });

  it('shows what is newest of each', () => {
    expect(stillRows(rows('ab'), rows('b', 2), idOf).map(({ value }) => value.version)).toEqual([1, 2]);
  });

  it('never moves a row, nor shows one twice', () => {
    const ids = fc.uniqueArray(fc.constantFrom(...'abcdefgh'));
    fc.assert(
      fc.property(ids, ids, (held, latest) => {
        const shown = stillRows(rows(held.join('')), rows(latest.join('')), idOf).map(({ value }) => value.id);
        expect(shown.slice(0, held.length)).toEqual(held);
        expect(new Set(shown).size).toBe(shown.length);
      }),
    );
  });
});
