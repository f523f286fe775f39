import * as fc from 'fast-check';
import { nodeFingerprint, nodeId, repositoryId } from '#shared/store/graph/graph-ids';
import { searchableQuery } from '#shared/store/graph/graph-search';
import { storableJson, storableText } from '#shared/store/graph/storable-text';

const REPOSITORY = '00000000-0000-4000-8000-000000000000';

describe('graph ids', () => {
  it('are UUIDs that stay the same from release to release', () => {
    const key = { source: '/srv/source', sourceType: 'local_path' as const, branch: null };
    expect(repositoryId(key)).toBe('5926673b-b84c-8477-86ba-84e29cd8887a');
    expect(nodeId(REPOSITORY, { kind: 'file', path: 'a' })).toBe('d8d4aff5-0934-8338-8785-508b402836a1');
  });

  it('differ when any part differs, wherever one part ends and the next begins', () => {
    const part = fc.stringMatching(/^[ab",]{0,3}$/);
    const ref = fc.record({ kind: part, path: part, key: part });
    fc.assert(
      fc.property(ref, ref, (a, b) => {
        const same = a.kind === b.kind && a.path === b.path && a.key === b.key;
        expect(nodeId(REPOSITORY, a) === nodeId(REPOSITORY, b)).toBe(same);
      }),
    );
  });

  it('tell another branch for another repository, a left out key for an empty one', () => {
    const key = { source: 's', sourceType: 'git_url' as const, branch: null };
    expect(repositoryId({ ...key, branch: 'main' })).not.toBe(repositoryId(key));
    expect(nodeId(REPOSITORY, { kind: 'k', path: 'p', key: '' })).toBe(nodeId(REPOSITORY, { kind: 'k', path: 'p' }));
  });

  it('take the content alone for the fingerprint, whatever the order of properties', () => {
    const node = { kind: 'file', path: 'p', name: 'n', properties: { a: 1, b: null } };
    const same = { ...node, kind: 'other', path: 'q', properties: { b: null, a: 1 }, position: 0, text: '' };
    expect(nodeFingerprint(same)).toBe(nodeFingerprint(node));
    for (const other of [{ name: 'm' }, { position: 1 }, { text: 't' }, { properties: { a: 1 } }]) {
      expect(nodeFingerprint({ ...node, ...other })).not.toBe(nodeFingerprint(node));
    }
  });
});

describe('storable text', () => {
  it('is what Postgres takes, and else unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '\0', '\uD83D', '\uDE00', '😀', '"', '\\') }), (text) => {
        const storable = storableText(text);
        expect(storable).toHaveLength(text.length);
        expect(Buffer.from(storable).toString()).toBe(storable);
        expect(storable).not.toContain('\0');
        if (text.isWellFormed() && !text.includes('\0')) expect(storable).toBe(text);
      }),
    );
  });

  it('reaches into every corner of a JSON value', () => {
    const value = JSON.parse('{"a\\u0000": ["\\u0000", {"b": "\\ud800"}, 1, null], "__proto__": "\\u0000"}') as never;
    expect(JSON.stringify(storableJson(value))).toBe('{"a�":["�",{"b":"�"},1,null],"__proto__":"�"}');
  });
});

describe('searchableQuery', () => {
  it.each([
    ['src/graph-store.ts', 'src graph store ts'],
    ['walrus -dives', 'walrus -dives'],
    ['-first "a-b -c"', '-first "a b -c"'],
    ['Map<string>', 'Map string>'],
    ['"-quoted"', '"-quoted"'],
  ])('turns %j into %j', (asked, searched) => {
    expect(searchableQuery(asked)).toBe(searched);
  });
});
