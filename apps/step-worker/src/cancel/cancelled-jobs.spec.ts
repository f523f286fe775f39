import { CancelledJobs } from './cancelled-jobs';

describe('CancelledJobs', () => {
  const forgotten: number[] = [];
  const jobs = (mostKept = 2): CancelledJobs => new CancelledJobs((heardAt) => forgotten.push(heardAt), mostKept);
  beforeEach(() => forgotten.splice(0));

  it('knows a run that was cancelled, and those before it, but not the next one', () => {
    const known = jobs();
    known.add('a', 2, 10);
    expect([1, 2, 3].map((run) => known.has('a', run))).toEqual([true, true, false]);
    expect(known.has('b', 1)).toBe(false);
  });

  it('forgets what it has not heard of for longest, and says up to when messages must be read', () => {
    const known = jobs();
    known.add('a', 1, 10);
    known.add('b', 1, 11);
    known.add('a', 1, 12);
    known.add('c', 1, 13);
    expect(['a', 'b', 'c'].map((job) => known.has(job, 1))).toEqual([true, false, true]);
    known.add('d', 1, 14);
    expect(forgotten).toEqual([11, 12]);
  });
});
