import fc from 'fast-check';

const SURROGATES = { from: 0xd800, count: 0x800 };

/** Any code point that is a character's. */
const anyCharacter = fc
  .nat(0x10_ff_ff - SURROGATES.count)
  .map((code) => String.fromCodePoint(code < SURROGATES.from ? code : code + SURROGATES.count));

/** Any text: what fast-check's unit `binary` gives, which first makes a map of all characters for each spec file. */
export const anyText = (constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: anyCharacter });
