import { Conflict } from '#shared/domain/errors';
import type { DeleteJobs, DeleteOutcome } from '#shared/store/jobs/delete-jobs';
import { jobIdOf, noSuchJob } from '../events/job-id';

/** Deletes jobs that have ended, with all that belongs to them. */
export class DeleteJob {
  constructor(private readonly jobs: Pick<DeleteJobs, 'delete'>) {}

  /** @throws NotFound, Conflict when it has not ended or another job needs it, or the database's error */
  async delete(id: string): Promise<void> {
    const jobId = jobIdOf(id);
    if (jobId === null) throw noSuchJob(id);
    const outcome = await this.jobs.delete(jobId);
    if (outcome.kind === 'missing') throw noSuchJob(id);
    if (outcome.kind !== 'deleted') throw new Conflict(whyNot(outcome));
  }
}

type Refusal = Exclude<DeleteOutcome, { kind: 'deleted' | 'missing' }>;

function whyNot(outcome: Refusal): string {
  switch (outcome.kind) {
    case 'live':
      if (outcome.status === 'cancelling') return 'The job is being cancelled: delete it once it is cancelled.';
      return `The job is ${outcome.status}: only one that has ended can be deleted. Cancel it first, or wait for its end.`;
    case 'needed':
      return `Job ${outcome.byJobId} depends on it and has not ended: cancel that one first, or wait for its end.`;
    case 'untold':
      return 'The jobs that depend on it are being told how it ended: try again in a moment.';
  }
}
