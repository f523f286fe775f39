import fc from 'fast-check';
import { canonicalJson, storableJsonText, storableText } from '#shared/domain/json';
import { anyText } from '../../../../test/support/any-text';

/** The same value with the fields of every object in another order. */
function shuffled(value: unknown, draw: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, draw));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([key, field]) => ({ key, field: shuffled(field, draw), rank: draw() }));
  return Object.fromEntries(fields.sort((a, b) => a.rank - b.rank).map(({ key, field }) => [key, field]));
}

const LONE_SURROGATE = /\p{Surrogate}/u;

describe('canonicalJson', () => {
  it('is one text whatever the order of the fields, and the value itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.nat(), { minLength: 20 }), (value, ranks) => {
        let drawn = 0;
        const other = shuffled(value, () => ranks[drawn++ % ranks.length] ?? 0);
        expect(canonicalJson(other)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('tells different values apart', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = canonicalJson(one) === canonicalJson(other);
        expect(same).toBe(JSON.stringify(sortedByHand(one)) === JSON.stringify(sortedByHand(other)));
      }),
    );
  });

  it('leaves out what is undefined in an object, and says null for it in a list', () => {
    expect(canonicalJson({ b: 1, a: undefined })).toBe('{"b":1}');
    expect(canonicalJson([1, undefined])).toBe('[1,null]');
    expect(canonicalJson(undefined)).toBe('null');
    expect(canonicalJson(Number.NaN)).toBe('null');
  });

  it('keeps a key called __proto__ and keys that look like numbers', () => {
    const value: unknown = JSON.parse('{"__proto__":{"x":1},"10":1,"9":2}');
    expect(canonicalJson(value)).toBe('{"10":1,"9":2,"__proto__":{"x":1}}');
  });
});

/** The order of keys, made by plain sorting of entries. */
function sortedByHand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedByHand);
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value).sort();
  // Wrapped, so that an object without fields is no empty list.
  return { fields: keys.map((key) => ({ key, value: sortedByHand((value as Record<string, unknown>)[key]) })) };
}

describe('storableJsonText', () => {
  const text = anyText({ maxLength: 20 });
  const hostileText = fc
    .array(fc.constantFrom('\0', '\ud800', '\udfff', '\\u0000', '\\', 'a', '😀', '"', '\ufffd'))
    .map((parts) => parts.join(''));
  const anyJson = fc.jsonValue({ stringUnit: 'binary' });

  it('leaves alone what can be stored', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        fc.pre(!JSON.stringify(value).includes('\\u0000'));
        expect(storableJsonText(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('holds no NUL and no half of a surrogate pair, in values or keys, and is otherwise the same', () => {
    fc.assert(
      fc.property(fc.dictionary(hostileText, fc.oneof(hostileText, fc.array(hostileText), text)), (value) => {
        const stored = JSON.parse(storableJsonText(value)) as Record<string, string | string[]>;
        const texts = [...Object.keys(stored), ...Object.values(stored).flat()];
        expect(texts.filter((text) => text.includes('\0') || LONE_SURROGATE.test(text))).toEqual([]);
        const expected = Object.entries(value).map(([key, field]) => [
          storableText(key),
          Array.isArray(field) ? field.map(storableText) : storableText(field),
        ]);
        expect(stored).toEqual(Object.fromEntries(expected));
      }),
    );
  });

  it('keeps the text \\u0000, which is no NUL, and deep values', () => {
    expect(JSON.parse(storableJsonText({ a: '\\u0000', b: [{ c: '\0' }] }))).toEqual({
      a: '\\u0000',
      b: [{ c: '\ufffd' }],
    });
    expect(storableJsonText(undefined)).toBe('null');
  });

  it('keeps a key called __proto__ a key', () => {
    const stored: unknown = JSON.parse(storableJsonText(JSON.parse('{"__proto__":{"x":"\\u0000"}}')));
    expect(Object.keys(stored as object)).toEqual(['__proto__']);
  });
});

describe('storableText', () => {
  it('replaces character by character', () => {
    expect(storableText('a\0b\ud83dc😀')).toBe('a\ufffdb\ufffdc😀');
  });
});
