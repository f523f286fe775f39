import fc from 'fast-check';
import { CommandOutput, type LastLine, progressOf } from './command-output';

const MIB = 1024 * 1024;

function read(...chunks: (string | Buffer)[]): { last: LastLine; progress: [number, string | undefined][] } {
  const progress: [number, string | undefined][] = [];
  const output = new CommandOutput((percent, message) => progress.push([percent, message]));
  for (const chunk of chunks) output.add(Buffer.from(chunk));
  return { last: output.end(), progress };
}

describe('the output of a program', () => {
  it.each<[string, string, LastLine]>([
    ['an object', 'hello\n{"a":1}\n', { kind: 'output', output: { a: 1 } }],
    ['one without a line end', 'hello\n{"a":1}', { kind: 'output', output: { a: 1 } }],
    [
      'one with blanks around it and empty lines after it',
      ' {"a":1} \r\n\n \r\n',
      { kind: 'output', output: { a: 1 } },
    ],
    ['one before progress', '{"a":1}\n::progress 100 done\n', { kind: 'output', output: { a: 1 } }],
    ['an object that is not last', '{"a":1}\nbye\n', { kind: 'none' }],
    ['a list', '[1]\n', { kind: 'none' }],
    ['a text', '"x"\n', { kind: 'none' }],
    ['nothing', '', { kind: 'none' }],
    ['half an object', '{"a":\n', { kind: 'broken' }],
    ['two in a line', '{} {}\n', { kind: 'broken' }],
  ])('is taken from its last line: %s', (_, text, last) => {
    expect(read(text).last).toEqual(last);
  });

  it('is the same however it comes in pieces', () => {
    const text = '::progress 10 a\nwords é\n::progress 20.5\n\n{"k":"é😀"}\n';
    fc.assert(
      fc.property(fc.array(fc.nat(Buffer.byteLength(text))), (cuts) => {
        const bytes = Buffer.from(text);
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        expect(read(...chunks)).toEqual(read(text));
      }),
    );
  });

  it('may have 1 MiB on its last line; of a longer one nothing is made', () => {
    const object = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;
    expect(read(object(MIB)).last).toMatchObject({ kind: 'output' });
    expect(read(object(MIB + 1)).last).toEqual({ kind: 'too_long' });
    expect(read('x'.repeat(MIB + 1)).last).toEqual({ kind: 'none' });
    expect(read(`${object(MIB + 1)}\n{}`).last).toEqual({ kind: 'output', output: {} });
  });

  it('takes no memory for what is not its last line', () => {
    const output = new CommandOutput(() => undefined);
    const chunk = Buffer.alloc(1 << 16, 'x');
    const before = process.memoryUsage();
    for (let written = 0; written < 4_096; written += 1) output.add(chunk);
    const after = process.memoryUsage();
    expect(after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed).toBeLessThan(32 * MIB);
    expect(output.end()).toEqual({ kind: 'none' });
  });
});

describe('a line of progress', () => {
  it.each<[string, [number, string | undefined] | null]>([
    ['::progress 40 halfway there', [40, 'halfway there']],
    ['::progress 99.5', [99.5, undefined]],
    ['  ::progress 7%   b  ', [7, 'b']],
    ['::progress 300 too much', [300, 'too much']],
    ['::progress 1 a\u001b[31m\tb', [1, 'a [31m b']],
    ['::progress', null],
    ['::progress done', null],
    ['::progress -3', null],
    ['::progressive 4', null],
    ['progress 40', null],
  ])('%j', (line, expected) => {
    const found = progressOf(line);
    expect(found && [found.percent, found.message]).toEqual(expected);
  });

  it('is reported in order, and a broken one is an ordinary line', () => {
    const { progress, last } = read('::progress 1 a\n::progress 2 b\n{}\n::progress x\n');
    expect(progress).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(last).toEqual({ kind: 'none' });
  });

  it('counts once for each line, also where many come together', () => {
    const { progress, last } = read('a\n::progress 1 ::progress 2\n b ::progress 3\n  ::progress 4\n\n::progress 5\n');
    expect(progress).toEqual([
      [1, '::progress 2'],
      [4, undefined],
      [5, undefined],
    ]);
    expect(last).toEqual({ kind: 'none' });
  });

  it('has a message of 1,000 characters at most', () => {
    expect(progressOf(`::progress 1 ${'m'.repeat(5_000)}`)?.message).toHaveLength(1_000);
  });
});
