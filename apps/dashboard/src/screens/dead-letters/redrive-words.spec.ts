import { nothingToRedrive, redriveQuestion, redriveWords } from './redrive-words';

describe('before a redrive', () => {
  it('the question says how many, and how many are left out', () => {
    expect(redriveQuestion({ matched: 3, done: 0, skipped: 0 })).toMatch(/^Redrive 3 dead letters\? .*failed\.$/);
    expect(redriveQuestion({ matched: 3, done: 0, skipped: 1 })).toMatch(/^Redrive 2 dead letters\?.* 1 more is left/);
  });

  it('asks nothing when there is nothing to do, and says why', () => {
    expect(redriveQuestion({ matched: 0, done: 0, skipped: 0 })).toBeNull();
    expect(redriveQuestion({ matched: 2, done: 0, skipped: 2 })).toBeNull();
    expect(nothingToRedrive({ matched: 0, done: 0, skipped: 0 })).toMatch('no such dead letters');
    expect(nothingToRedrive({ matched: 1, done: 0, skipped: 1 })).toMatch('1 dead letter, but the jobs still run');
  });
});

describe('after a redrive', () => {
  it.each([
    [{ matched: 0, done: 0, skipped: 0 }, 'There were no such dead letters any more.'],
    [{ matched: 1, done: 1, skipped: 0 }, '1 dead letter redriven: the jobs go on.'],
    [{ matched: 5, done: 4, skipped: 1 }, '4 dead letters redriven: the jobs go on. 1 left out: the jobs still run.'],
    [{ matched: 2, done: 0, skipped: 2 }, 'Nothing was redriven. 2 left out: the jobs still run.'],
    [
      { matched: 900, done: 500, skipped: 0 },
      '500 dead letters redriven: the jobs go on. 400 are left: do it again to take them up.',
    ],
  ])('%j is told in words', (result, words) => {
    expect(redriveWords(result)).toBe(words);
  });
});
