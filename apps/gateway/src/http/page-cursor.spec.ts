import fc from 'fast-check';
import { InvalidInput } from '#shared/domain/errors';
import { decodeCursor, encodeCursor } from './page-cursor';

const QUESTION = { sort: '-created_at', status: ['failed'] };
const PLACE = [0, '2026-11-23T12:00:00.123456Z', '01930000-0000-7000-8000-000000000000'];

describe('a cursor', () => {
  it('gives its place back for the same question', () => {
    expect(decodeCursor({ ...QUESTION }, encodeCursor(QUESTION, PLACE))).toEqual(PLACE);
  });

  it.each([[{ ...QUESTION, sort: 'created_at' }], [{ ...QUESTION, status: ['failed', 'cancelled'] }], [{}]])(
    'is none for the question %j',
    (question) => {
      expect(() => decodeCursor(question, encodeCursor(QUESTION, PLACE))).toThrow();
    },
  );

  it('is refused once any character of it was changed, added or left out', () => {
    const cursor = encodeCursor(QUESTION, PLACE);
    const change = fc.record({
      at: fc.integer({ min: 0, max: cursor.length - 1 }),
      text: fc.string({ minLength: 0, maxLength: 2 }),
    });
    fc.assert(
      fc.property(change, ({ at, text }) => {
        const changed = cursor.slice(0, at) + text + cursor.slice(at + 1);
        fc.pre(changed !== cursor);
        expect(() => decodeCursor(QUESTION, changed)).toThrow(InvalidInput);
      }),
    );
  });

  it.each(['', '.', 'null', '..', 'W10', '\0'])('%j is none', (text) => {
    expect(() => decodeCursor(QUESTION, text)).toThrow();
  });
});
