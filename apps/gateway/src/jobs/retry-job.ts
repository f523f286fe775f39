import type { JobView } from '#shared/contracts/job';
import { Conflict, InvalidInput } from '#shared/domain/errors';
import { isEnded, type JobStatus } from '#shared/domain/status';
import { retryJob } from '#shared/domain/turn/retry';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import { type Dependency, lostDependency } from '#shared/domain/turn/job-hold';
import type { JobReader } from '#shared/store/jobs/job-reader';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { jobIdOf, noSuchJob } from '../events/job-id';
import type { ChangeAnnouncer } from './change-announcer';

type RetryOutcome =
  | { readonly kind: 'retried'; readonly draft: JobDraft; readonly pipeline: StoredPipeline }
  /** The state forbids it. */
  | { readonly kind: 'forbidden'; readonly status: JobStatus; readonly lost: Dependency | null }
  | { readonly kind: 'unknown_step'; readonly message: string }
  | { readonly kind: 'missing' };

/** Lets jobs go on that have failed, were cancelled, or, from a named step on, are completed. */
export class RetryJob {
  constructor(
    private readonly transactions: JobTransactions,
    private readonly reader: JobReader,
    private readonly announcer: ChangeAnnouncer,
  ) {}

  /**
   * @param fromStep where to begin again; null = what is not completed
   * @returns the job as it goes on
   * @throws NotFound, Conflict when the state forbids it, InvalidInput for a step that it does not have, or the
   * database's error
   */
  async retry(id: string, fromStep: string | null): Promise<JobView> {
    const outcome = await this.commit(id, fromStep);
    switch (outcome.kind) {
      case 'missing':
        throw noSuchJob(id);
      case 'unknown_step':
        throw new InvalidInput([{ path: 'from_step', message: outcome.message }]);
      case 'forbidden':
        throw new Conflict(whyNot(outcome));
      case 'retried':
        return this.show(id, outcome);
    }
  }

  /** The same for one of many, with what stands in the way as a value. @throws the database's error */
  async attempt(id: string): Promise<RetryOutcome['kind']> {
    const outcome = await this.commit(id, null);
    if (outcome.kind === 'retried') this.announcer.retried(outcome.draft, outcome.pipeline);
    return outcome.kind;
  }

  private async commit(id: string, fromStep: string | null): Promise<RetryOutcome> {
    const jobId = jobIdOf(id);
    if (jobId === null) return { kind: 'missing' };
    const applied = await this.transactions.run({
      jobId,
      apply: (draft, { pools }) => {
        const fromIdx = fromStep === null ? null : draft.pipeline.steps.findIndex(({ name }) => name === fromStep);
        if (fromIdx === -1) return 'unknown_step';
        return retryJob(draft, fromIdx, pools) === null ? 'forbidden' : 'retried';
      },
    });
    if (applied === null) return { kind: 'missing' };
    const { result, draft, pipeline, statusBefore } = applied;
    if (result === 'unknown_step') {
      const names = draft.pipeline.steps.map(({ name }) => name).join(', ');
      return { kind: result, message: `is none of the job, which has ${names}` };
    }
    if (result === 'retried') return { kind: result, draft, pipeline };
    return { kind: result, status: statusBefore, lost: lostDependency(draft.hold) };
  }

  /** Read before workers hear of it, so that the answer shows what was asked for and not what came after. */
  private async show(id: string, { draft, pipeline }: RetryOutcome & { kind: 'retried' }): Promise<JobView> {
    try {
      const job = await this.reader.get(id);
      if (job === null) throw noSuchJob(id);
      return job;
    } finally {
      this.announcer.retried(draft, pipeline);
    }
  }
}

function whyNot({ status, lost }: RetryOutcome & { kind: 'forbidden' }): string {
  if (lost !== null && isEnded(status)) {
    const how = lost.outcome === 'cancelled' ? 'was cancelled' : 'has failed';
    return `Job ${lost.jobId}, which it depends on, ${how}: retry that one, and this one waits for it again.`;
  }
  if (status === 'cancelling') return 'The job is being cancelled: retry it once it is cancelled.';
  if (status === 'completed') return 'The job is completed: say with from_step where it is to begin again.';
  if (status === 'scheduled')
    return 'The job is scheduled: reschedule it to start it earlier, with a countdown of 0 now.';
  return `The job is ${status}: only one that has ended can be retried. Cancel it first, or wait for its end.`;
}
