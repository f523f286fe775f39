import * as fc from 'fast-check';
import { textOfName } from './entry-name';
import { anyText } from '../../../../../test/support/any-text';

describe('textOfName', () => {
  it('leaves UTF-8 as it is', () => {
    fc.assert(fc.property(anyText(), (name) => textOfName(Buffer.from(name)) === name));
  });

  it.each([
    [[0x61, 0xff, 0x62], 'a\uFFFDffb'],
    [[0xe9, 0x2e, 0x74, 0x78, 0x74], '\uFFFDe9.txt'],
    [[0xc3, 0xbc, 0xc3], 'ü\uFFFDc3'],
    [[0xed, 0xa0, 0x80], '\uFFFDed\uFFFDa0\uFFFD80'],
  ])('spells out the bytes of %j that are not', (bytes, text) => {
    expect(textOfName(Buffer.from(bytes))).toBe(text);
  });

  it('gives different names different texts, and a path the texts of its parts', () => {
    const part = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x2f)));
    const noMark = part.filter((bytes) => !bytes.includes(Buffer.from('\uFFFD')));
    fc.assert(
      fc.property(noMark, noMark, (a, b) => {
        expect(textOfName(a) === textOfName(b)).toBe(a.equals(b));
        expect(textOfName(Buffer.concat([a, Buffer.from('/'), b]))).toBe(`${textOfName(a)}/${textOfName(b)}`);
      }),
    );
  });
});
