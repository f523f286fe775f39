import type { DeadLetterFilter } from '#shared/contracts/dead-letter';
import { Unavailable } from '#shared/domain/errors';
import type { DeadLetters } from '#shared/store/jobs/dead-letters';
import type { RetryJob } from '../jobs/retry-job';
import { RedriveDeadLetters } from './redrive-dead-letters';

type RetryOutcome = Awaited<ReturnType<RetryJob['attempt']>>;

const jobNumber = (n: number): string => `0190a0b0-0000-7000-8000-${String(n).padStart(12, '0')}`;

/** `count` jobs with two dead letters each. */
function redriveOf(count: number, attempt: (jobId: string) => Promise<RetryOutcome>, timeLimitMs?: number) {
  const ids = Array.from({ length: count }, (_, n) => jobNumber(n + 1));
  const batches: number[] = [];
  let under = 0;
  let most = 0;
  const letters = {
    count: async () => ({ matched: 2 * count, ended: 2 * count - 1, until: 'then' }),
    jobs: async (_: DeadLetterFilter, until: string, after: string, limit: number) => {
      expect(until).toBe('then');
      const next = ids.filter((id) => id > after).slice(0, limit);
      batches.push(next.length);
      return next.map((jobId) => ({ jobId, letters: 2 }));
    },
  } as unknown as DeadLetters;
  const jobs = {
    attempt: async (jobId: string) => {
      under += 1;
      most = Math.max(most, under);
      try {
        return await attempt(jobId);
      } finally {
        under -= 1;
      }
    },
  } as unknown as RetryJob;
  return { redrive: new RedriveDeadLetters(letters, jobs, timeLimitMs), batches, mostAtOnce: () => most };
}

const retried = async (): Promise<RetryOutcome> => 'retried';

test('works through all of them in batches, so many at once', async () => {
  const { redrive, batches, mostAtOnce } = redriveOf(1_200, retried);
  expect(await redrive.many({}, false)).toEqual({ matched: 2_400, done: 2_400, skipped: 0 });
  expect([batches, mostAtOnce()]).toEqual([[500, 500, 200, 0], 500]);
});

test('what cannot be retried now is skipped', async () => {
  const outcomes: RetryOutcome[] = ['retried', 'forbidden', 'missing'];
  const { redrive } = redriveOf(3, async () => outcomes.shift() ?? 'missing');
  expect(await redrive.many({}, false)).toEqual({ matched: 6, done: 2, skipped: 4 });
});

test('a dry run retries nothing', async () => {
  const { redrive, batches } = redriveOf(3, () => Promise.reject(new Error('was retried')));
  expect(await redrive.many({}, true)).toEqual({ matched: 6, done: 0, skipped: 1 });
  expect(batches).toEqual([]);
});

test('when it cannot go on, it says what it did so far', async () => {
  const { redrive } = redriveOf(600, async (jobId) => {
    if (jobId === jobNumber(550)) throw new Error('the connection broke');
    return jobId === jobNumber(3) ? 'missing' : 'retried';
  });
  const error = await redrive.many({}, false).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Unavailable);
  expect(error).toMatchObject({
    message: expect.stringMatching(/^Of 1200 dead letters 1196 were redriven and 2 skipped/) as string,
    cause: expect.objectContaining({ message: 'the connection broke' }) as Error,
  });
});

test('when it could do nothing at all, the error is the one that it met', async () => {
  const { redrive } = redriveOf(2, () => Promise.reject(new Error('the connection broke')));
  await expect(redrive.many({}, false)).rejects.toThrow('the connection broke');
});

test('it ends within its time; what is left is for the next call', async () => {
  const { redrive, batches } = redriveOf(1_200, retried, 0);
  expect(await redrive.many({}, false)).toEqual({ matched: 2_400, done: 0, skipped: 0 });
  expect(batches).toEqual([]);
});
