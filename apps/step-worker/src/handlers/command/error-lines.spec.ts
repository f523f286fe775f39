import * as fc from 'fast-check';
import { SecretMask } from '../secrets/secret-mask';
import { ErrorLines } from './error-lines';

function read(chunks: readonly (string | Buffer)[], secrets: string[] = []): { lines: string[]; last: string } {
  const lines: string[] = [];
  const mask = new SecretMask(secrets);
  const errors = new ErrorLines(
    (line, isCut) => mask.text(line, isCut),
    (line) => lines.push(line),
  );
  for (const chunk of chunks) errors.add(Buffer.from(chunk));
  return { lines, last: errors.end() };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('the standard error of a program', () => {
  it('is handed on line by line, however it comes in pieces; the last line that is not blank is remembered', () => {
    const text = 'one\r\n\n\ntwo é😀\n  three\n \nfour\n\n';
    const lines = ['one', '', '', 'two é😀', '  three', ' ', 'four', ''];
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(text))), (cuts) => {
        const bytes = Buffer.from(text);
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(read(chunks)).toEqual({ lines, last: 'four' });
      }),
    );
  });

  it('may end without a line end, or be nothing', () => {
    expect(read(['a\n', 'b'])).toEqual({ lines: ['a', 'b'], last: 'b' });
    expect(read([])).toEqual({ lines: [], last: '' });
  });

  it('shows no part of a secret that is in pieces, also where a line is cut', () => {
    expect(read(['a hun', 'ter2 b'], ['hunter2']).lines).toEqual(['a *** b']);
    const secret = 'hunter2'.repeat(20);
    for (const shift of [0, 1, 50]) {
      const { lines, last } = read([`${'.'.repeat(shift)}${secret.repeat(300)}\n`], [secret]);
      expect([lines.length, last === lines[0], last.includes('hunter2')]).toEqual([1, true, false]);
    }
  });

  it('is handed on at once, then each 100 ms, and of very many lines the last 1,000', () => {
    const lines: string[] = [];
    const masked: string[] = [];
    const errors = new ErrorLines(
      (line) => {
        masked.push(line);
        return line;
      },
      (line) => lines.push(line),
    );
    errors.add(Buffer.from('begin\n'));
    expect(lines).toEqual(['begin']);
    const all = Array.from({ length: 50_000 }, (_, n) => `line ${n}`);
    for (let n = 0; n < all.length; n += 5_000) errors.add(Buffer.from(`${all.slice(n, n + 5_000).join('\n')}\n`));
    expect(lines).toHaveLength(1);
    jest.advanceTimersByTime(100);
    expect(lines).toEqual(['begin', ...all.slice(-1_000)]);
    expect(masked).toHaveLength(1_001);
    expect(errors.end()).toBe('line 49999');
    expect(jest.getTimerCount()).toBe(0);
  });
});
