import fc from 'fast-check';
import { CommandOutput, type LastLine } from './command-output';

const MIB = 1024 * 1024;

function read(...chunks: (string | Buffer)[]): { last: LastLine; progress: string[] } {
  const progress: string[] = [];
  const output = new CommandOutput((line) => progress.push(line.toString()));
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
        const { last, progress } = read(...chunks);
        // How many of the lines before it are handed on is for the pieces to say.
        expect([last, progress.at(-1)]).toEqual([{ kind: 'output', output: { k: 'é😀' } }, '::progress 20.5']);
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

describe('lines of progress', () => {
  it.each<[string, string[]]>([
    ['::progress 1 a\n::progress 2 b\n{}\n', ['::progress 2 b']],
    ['::progress 1', ['::progress 1']],
    [' \t::progress 7%   b \r\n\n\n', ['::progress 7%   b']],
    ['a\n::progress 1 ::progress 2\n b ::progress 3\nc\n', ['::progress 1 ::progress 2']],
    ['::progress 1\nx ::progress 2\ny ::progress 3\n', ['::progress 1']],
    ['a\n::progress 4\n\nb\n::progress  5', ['::progress 4', '::progress  5']],
    ['\n\n::progressive 1\n::progress\n::progress x\nprogress 3\n', []],
  ])('in %j: the newest of a chunk is handed on', (text, lines) => {
    expect(read(text).progress).toEqual(lines);
  });

  it('that are broken are ordinary lines', () => {
    expect(read('{}\n::progress x\n').last).toEqual({ kind: 'none' });
    expect(read('a\n{}\n::progress x\n::progress 1\n\n').last).toEqual({ kind: 'none' });
    expect(read('a\n{}\n::progress 2\n::progress 1\n\n').last).toEqual({ kind: 'output', output: {} });
  });

  it.each(['::progress 1 a\n', 'x ::progress 1\n', '::progress x\n', 'x\n', '\n', '{}\n::progress 1\n'])(
    'without end take next to no work: %j',
    (line) => {
      const handedOn: Buffer[] = [];
      const output = new CommandOutput((progress) => handedOn.push(progress));
      const chunk = Buffer.from(line.repeat((1 << 16) / line.length));
      const before = process.cpuUsage();
      for (let chunks = 0; chunks < 100; chunks += 1) output.add(chunk);
      // It is about 100 ms; reading each line with a pattern took seconds.
      expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000);
      expect(handedOn.length).toBeLessThanOrEqual(100);
    },
  );
});
