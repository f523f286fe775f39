import type { RescheduleRequest } from '#shared/contracts/ingest-request';
import type { JobView } from '#shared/contracts/job';
import { Conflict } from '#shared/domain/errors';
import { isEnded, type JobStatus } from '#shared/domain/status';
import { type NewStart, rescheduleJob } from '#shared/domain/turn/hold';
import type { JobReader } from '#shared/store/jobs/job-reader';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';
import { jobIdOf, noSuchJob } from '../events/job-id';
import type { ChangeAnnouncer } from './change-announcer';

/** Gives scheduled jobs another time; one that has come starts them at once. */
export class RescheduleJob {
  constructor(
    private readonly transactions: JobTransactions,
    private readonly reader: JobReader,
    private readonly announcer: ChangeAnnouncer,
  ) {}

  /** @throws NotFound, Conflict when it is not scheduled, or the database's error */
  async reschedule(id: string, { etaSeconds, countdown }: RescheduleRequest): Promise<JobView> {
    const jobId = jobIdOf(id);
    if (jobId === null) throw noSuchJob(id);
    const start: NewStart = etaSeconds === null ? { countdown } : { eta: Math.round(etaSeconds * 1_000_000) };
    const applied = await this.transactions.run({ jobId, apply: (draft) => rescheduleJob(draft, start) });
    if (applied === null) throw noSuchJob(id);
    const { draft, result: done, pipeline, statusBefore } = applied;
    if (!done) throw new Conflict(whyNot(statusBefore));
    // Read before workers hear of it, so that the answer shows what was asked for and not what came after.
    const job = await this.reader.get(jobId).finally(() => this.announcer.rescheduled(draft, pipeline));
    if (job === null) throw noSuchJob(id);
    return job;
  }
}

function whyNot(status: JobStatus): string {
  if (isEnded(status)) return `The job is ${status}: only one that is scheduled can be given another time.`;
  if (status === 'waiting') return 'The job waits for other jobs, and no longer for a time.';
  return `The job is ${status}: it has started already.`;
}
