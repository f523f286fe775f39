import type { DataSource } from 'typeorm';
import type { NewJob } from '#shared/domain/new-job';
import { withClient } from '#shared/store/database';
import { GroupCommit } from '#shared/store/group-commit';
import { insertJobs, needTransaction, type SubmitOutcome } from '#shared/store/jobs/insert-jobs';

/** Stores new jobs: whatever arrives while one commit is under way goes into the next. */
export class JobSubmission {
  private readonly group: GroupCommit<NewJob, SubmitOutcome>;

  constructor(private readonly database: DataSource) {
    this.group = new GroupCommit({ commit: (jobs) => this.insert(jobs), maxQueued: 20_000 });
  }

  /**
   * Resolves when the job is committed.
   * @throws QueueFull when too much waits already, or the database's error: then the job may or may not be stored
   */
  submit(job: NewJob): Promise<SubmitOutcome> {
    return this.group.add(job);
  }

  /** Resolves when all that was submitted has been answered. */
  idle(): Promise<void> {
    return this.group.idle();
  }

  private insert(jobs: NewJob[]): Promise<SubmitOutcome[]> {
    return withClient(this.database, async (client) => {
      const inTransaction = needTransaction(jobs);
      if (inTransaction) await client.query('BEGIN');
      const outcomes = await insertJobs(client, jobs);
      if (inTransaction) await client.query('COMMIT');
      return jobs.map((job) => {
        const outcome = outcomes.get(job.id);
        if (!outcome) throw new Error(`job ${job.id} was not stored: its idempotency key is freed again and again`);
        return outcome;
      });
    });
  }
}
