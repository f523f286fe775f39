import type { SubmitRequest } from '#shared/contracts/ingest-request';
import type { ScheduleJob } from '#shared/contracts/schedule';
import { InvalidInput } from '#shared/domain/errors';
import type { SubmissionCheck } from '../jobs/submission-check';

/** Looks up what the job of a schedule names, as if it were submitted now. */
export class ScheduleCheck {
  constructor(private readonly submissions: SubmissionCheck) {}

  /**
   * The job with its source as it was found: a path that is relative to nothing in particular would mean another
   * folder to each service.
   * @throws InvalidInput at `job.…`, or the database's error
   */
  async check(job: ScheduleJob): Promise<ScheduleJob> {
    const request: SubmitRequest = job;
    const [checked] = await this.submissions.check([{ request, key: null, requestHash: null }]);
    if (!checked) throw new Error('the job of a schedule was passed over');
    if (checked.kind === 'refused') throw underJob(checked.error);
    const { source, sourceType } = checked.job;
    return source === null ? job : { ...job, source, source_type: sourceType };
  }
}

/** The same faults, as those of the field `job`. */
export function underJob(error: unknown): unknown {
  if (!(error instanceof InvalidInput)) return error;
  return new InvalidInput(
    error.errors.map(({ path, message }) => ({ path: path === '' ? 'job' : `job.${path}`, message })),
  );
}
