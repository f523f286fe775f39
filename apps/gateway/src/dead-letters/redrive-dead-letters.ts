import type { DeadLetterFilter, RedriveResult } from '#shared/contracts/dead-letter';
import type { JobView } from '#shared/contracts/job';
import { NotFound, Unavailable } from '#shared/domain/errors';
import { type DeadLetters, FIRST_JOB, type LettersOfJob } from '#shared/store/jobs/dead-letters';
import type { RetryJob } from '../jobs/retry-job';

/** Jobs that are retried side by side: they end up in one or two commits. */
const BATCH = 500;
/** A call ends within its client's patience; what is left is for the next. */
const TIME_LIMIT_MS = 20_000;

type Tally = Pick<RedriveResult, 'done' | 'skipped'>;

/** Redrives what failed for good: a retry of its job. The dead letters of a job that goes on are gone. */
export class RedriveDeadLetters {
  constructor(
    private readonly letters: DeadLetters,
    private readonly jobs: RetryJob,
    private readonly timeLimitMs = TIME_LIMIT_MS,
  ) {}

  /** @returns the job as it goes on. @throws NotFound, Conflict while it still runs, or the database's error */
  async one(id: string): Promise<JobView> {
    const letter = await this.letters.get(id);
    if (letter === null) throw new NotFound('dead letter', id.slice(0, 100));
    return this.jobs.retry(letter.job_id, null);
  }

  /**
   * Those that are there now, batch by batch, in the order of their jobs; what fails meanwhile is not taken again.
   * @throws Unavailable that says how far it came, or the database's error when it did nothing
   */
  async many(filter: DeadLetterFilter, dryRun: boolean): Promise<RedriveResult> {
    const giveUpAtMs = performance.now() + this.timeLimitMs;
    const { matched, ended, until } = await this.letters.count(filter);
    if (dryRun) return { matched, done: 0, skipped: matched - ended };
    let tally: Tally = { done: 0, skipped: 0 };
    let after = FIRST_JOB;
    try {
      while (performance.now() < giveUpAtMs) {
        const jobs = await this.letters.jobs(filter, until, after, BATCH);
        const last = jobs.at(-1);
        if (!last) break;
        const { failure, ...more } = await this.retryAll(jobs);
        tally = { done: tally.done + more.done, skipped: tally.skipped + more.skipped };
        if (failure) throw failure.reason;
        after = last.jobId;
      }
    } catch (error) {
      if (tally.done === 0) throw error;
      throw stopped(matched, tally, error);
    }
    return { matched, ...tally };
  }

  /** Waits for all of them, though one fails: what was done is counted. */
  private async retryAll(jobs: readonly LettersOfJob[]): Promise<Tally & { failure: PromiseRejectedResult | null }> {
    let [done, skipped] = [0, 0];
    let failure: PromiseRejectedResult | null = null;
    const outcomes = await Promise.allSettled(jobs.map(({ jobId }) => this.jobs.attempt(jobId)));
    outcomes.forEach((outcome, index) => {
      const letters = jobs[index]?.letters ?? 0;
      if (outcome.status === 'rejected') failure ??= outcome;
      else if (outcome.value === 'retried') done += letters;
      else skipped += letters;
    });
    return { done, skipped, failure };
  }
}

const stopped = (matched: number, { done, skipped }: Tally, cause: unknown): Unavailable =>
  new Unavailable(
    `Of ${matched} dead letters ${done} were redriven and ${skipped} skipped; then it could not go on. ` +
      'The same call takes up the rest.',
    2,
    { cause },
  );
