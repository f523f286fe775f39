import type { JobView } from '#shared/contracts/job';
import { scheduleJob, type ScheduleView } from '#shared/contracts/schedule';
import { parseInput } from '../http/schema-pipe';
import type { SubmitJobs } from '../jobs/submit-jobs';
import { underJob } from './schedule-check';

/** Runs a schedule now: a job like those that it makes by itself, without a due time. */
export class RunSchedule {
  constructor(private readonly jobs: Pick<SubmitJobs, 'submit'>) {}

  /** @throws InvalidInput at `job.…` when it can no longer be made, or what kept it from being stored */
  async run(schedule: ScheduleView): Promise<JobView> {
    try {
      const request = parseInput(scheduleJob, schedule.job);
      const submission = { request, key: null, requestHash: null, scheduleId: schedule.id };
      const [result] = await this.jobs.submit([submission]);
      if (!result) throw new Error('the run of a schedule has no result');
      if (result.kind === 'refused') throw result.error;
      return result.job;
    } catch (error) {
      throw underJob(error);
    }
  }
}
