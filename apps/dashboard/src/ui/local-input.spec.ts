import fc from 'fast-check';
import { fromLocalInput, toLocalInput } from './local-input';

test('a time that was shown is the same time, to the second', () => {
  const date = fc.date({ min: new Date('1971-01-01'), max: new Date('2200-01-01'), noInvalidDate: true });
  fc.assert(
    fc.property(date, (at) => {
      at.setMilliseconds(0);
      const shown = toLocalInput(at.toISOString());
      expect(shown).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
      // Where a clock is set back, a time is shown twice.
      expect(toLocalInput(fromLocalInput(shown))).toBe(shown);
    }),
  );
});

test('what is none is nothing', () => {
  expect(toLocalInput('yesterday')).toBe('');
  expect(fromLocalInput('')).toBe('');
  expect(fromLocalInput('soon')).toBe('');
});
