import fc from 'fast-check';
import { jsonFault } from './json-fault';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

test('whatever JSON.parse takes has no fault, and nothing else', () => {
  const pieces = fc.constantFrom(...'{}[]:,"\\ \n0123456789.eE+-', 'true', 'null', '"a"', '"\\u00e9"', '\t', '\u0001');
  const made = fc.array(pieces, { maxLength: 12 }).map((list) => list.join(''));
  const broken = fc.tuple(fc.json(), fc.nat(), fc.oneof(pieces, fc.constant(''))).map(([text, at, piece]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + piece + text.slice(place + 1);
  });
  fc.assert(
    fc.property(fc.oneof(fc.json(), made, broken), (text) => {
      expect(jsonFault(text) === null).toBe(isJson(text));
    }),
    { numRuns: 3_000 },
  );
});

test.each([
  ['', 1, 1, 'expected a value, the text ends'],
  ['{"a": 1,\n  "b": maybe}', 2, 8, 'expected a value, found "m"'],
  ['{"a": 1,}', 1, 9, 'expected a name in double quotes, found "}"'],
  ['{a: 1}', 1, 2, 'expected a name in double quotes or }, found "a"'],
  ['{"a" 1}', 1, 6, 'expected a colon, found "1"'],
  ['[1 2]', 1, 4, 'expected a comma or the closing bracket, found "2"'],
  ['["a', 1, 4, 'this string is not closed, or holds what has to be escaped'],
  ['[1', 1, 3, 'expected a comma or the closing bracket, the text ends'],
  ['{}\n{}', 2, 1, 'expected the end, found "{"'],
  ['01', 1, 2, 'expected the end, found "1"'],
])('%p', (text, line, column, message) => {
  expect(jsonFault(text)).toEqual({ line, column, message });
});

test('a text that nests deeper than a stack reaches', () => {
  expect(jsonFault('['.repeat(200_000))?.column).toBe(200_001);
});
