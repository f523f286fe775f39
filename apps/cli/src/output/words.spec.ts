import fc from 'fast-check';
import { anyText } from '../../../../test/support/any-text';
import { oneLine } from './words';

test('text from elsewhere is one line and cannot steer the terminal', () => {
  expect(oneLine('a\r\n\tb\u001b[2J\u0007')).toBe('a b\\u001b[2J\\u0007');
  fc.assert(
    fc.property(anyText(), (text) => {
      const codes = [...oneLine(text)].map((character) => character.codePointAt(0) ?? 0);
      expect(codes.filter((code) => code < 32 || (code > 126 && code < 160))).toEqual([]);
    }),
  );
});
