import type { JobView } from '#shared/contracts/job';
import { cancelJob } from '#shared/domain/turn/cancel';
import type { Logger } from '#shared/runtime/logger';
import type { Cancels } from '#shared/store/jobs/cancels';
import type { JobReader } from '#shared/store/jobs/job-reader';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';
import { jobIdOf, noSuchJob } from '../events/job-id';
import type { ChangeAnnouncer } from './change-announcer';

export interface CancelResult {
  readonly job: JobView;
  /** False: it had ended before. */
  readonly accepted: boolean;
}

/** Stops jobs: one that is held at once, another once every worker has said that it runs nothing of it. */
export class CancelJob {
  constructor(
    private readonly transactions: JobTransactions,
    private readonly cancels: Cancels,
    private readonly reader: JobReader,
    private readonly announcer: ChangeAnnouncer,
    private readonly log: Logger,
  ) {}

  /** Asking again changes nothing. @throws NotFound, or the database's error */
  async cancel(id: string): Promise<CancelResult> {
    const jobId = jobIdOf(id);
    if (jobId === null) throw noSuchJob(id);
    const applied = await this.transactions.run({ jobId, apply: (draft) => cancelJob(draft) });
    if (applied === null) throw noSuchJob(id);
    const { draft, result } = applied;
    if (result === 'cancelled') this.announcer.cancelled(draft);
    if (result === 'cancelling') {
      if (draft.changed) this.announcer.cancelling(draft);
      await this.mark(jobId);
      this.announcer.lookAtCancels();
    }
    const job = await this.reader.get(jobId);
    if (job === null) throw noSuchJob(id);
    return { job, accepted: result !== 'already_ended' };
  }

  /** The cancel is committed. A mark that fails is made by the scheduler. */
  private async mark(jobId: string): Promise<void> {
    try {
      await this.cancels.mark(jobId);
    } catch (error) {
      this.log.warn({ err: error, job: jobId }, 'a cancel could not be marked: the scheduler does it');
    }
  }
}
