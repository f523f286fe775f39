import { SecretMask } from '../secrets/secret-mask';
import { CommandProgress, progressOf } from './command-progress';

type Reported = [number, string | undefined];

function reporting(secrets: string[] = []): { progress: CommandProgress; reported: Reported[]; shown: string[] } {
  const mask = new SecretMask(secrets);
  const reported: Reported[] = [];
  const shown: string[] = [];
  const show = (message: string, isCut: boolean): string => {
    shown.push(message);
    return mask.text(message, isCut);
  };
  return { progress: new CommandProgress(show, (...given) => reported.push(given)), reported, shown };
}

function reportOf(line: string, ...secrets: string[]): Reported | undefined {
  const { progress, reported } = reporting(secrets);
  progress.add(Buffer.from(line));
  progress.end();
  expect(reported.length).toBeLessThan(2);
  return reported[0];
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('a line of progress', () => {
  it.each<[string, Reported | null]>([
    ['::progress 40 halfway there', [40, 'halfway there']],
    ['::progress 99.5', [99.5, undefined]],
    ['::progress  7%   b', [7, 'b']],
    ['::progress 300 too much', [300, 'too much']],
    ['::progress', null],
    ['::progress done', null],
    ['::progress 1234', null],
    ['::progress -3', null],
    ['::progressive 4', null],
    ['progress 40', null],
  ])('%j', (line, expected) => {
    const found = progressOf(line);
    expect(found && [found.percent, found.message]).toEqual(expected);
    expect(reportOf(line)).toEqual(expected ?? undefined);
  });

  it('has a message on one line, of 1,000 characters at most', () => {
    expect(reportOf('::progress 1 a\u001b[31m\tb')).toEqual([1, 'a [31m b']);
    expect(reportOf(`::progress 1 ${'m'.repeat(5_000)}`)).toEqual([1, 'm'.repeat(1_000)]);
    expect(reportOf(`::progress 1 ${'m'.repeat(50_000)}`)).toEqual([1, 'm'.repeat(1_000)]);
  });

  it('has its secrets hidden before it is cut, wherever that is', () => {
    const before = 'm'.repeat(995);
    expect(reportOf(`::progress 1 ${before} hunter2 and more`, 'hunter2')).toEqual([1, `${before} ***`.padEnd(1_000)]);
    for (let shift = 0; shift < 10; shift += 1) {
      const echo = ' '.repeat(shift) + 'hunter2hunter2'.repeat(3_000);
      expect(reportOf(`::progress 1 .${echo}`, 'hunter2hunter2'.repeat(50))?.[1]).not.toContain('hunter2');
    }
  });
});

describe('progress that comes fast', () => {
  it('is told at once, then the newest each 100 ms, then the last; the others are not read', () => {
    const { progress, reported, shown } = reporting();
    for (let n = 0; n < 250; n += 1) {
      progress.add(Buffer.from(`::progress 1 ${n}`));
      jest.advanceTimersByTime(1);
    }
    progress.end();
    expect(shown).toEqual(['0', '99', '199', '249']);
    expect(reported).toEqual(shown.map((message) => [1, message]));
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is told once', () => {
    const { progress, reported } = reporting();
    progress.add(Buffer.from('::progress 1'));
    jest.advanceTimersByTime(1_000);
    progress.end();
    expect(reported).toEqual([[1, undefined]]);
  });
});
