import type { HandlerDefinition } from '#shared/contracts/handler';
import { optionFaults } from '#shared/contracts/job-options';
import { type ScheduleJob, scheduleJob } from '#shared/contracts/schedule';
import { inputFaults } from '#shared/contracts/input-faults';
import { InvalidInput } from '#shared/domain/errors';
import type { NewJob } from '#shared/domain/new-job';
import { cronTimes } from '#shared/domain/schedule/cron-times';
import { tick, type Tick } from '#shared/domain/schedule/tick';
import type { JobPlan, JobPlans } from '#shared/store/jobs/job-plans';
import { newJobOf } from '#shared/store/jobs/new-job-of';
import type { ClaimedSchedule, RunError, ScheduleRun, ScheduleStep } from '#shared/store/schedules/schedule-ticks';

/** What is decided of a schedule that is due. */
export interface DueRuns {
  readonly step: ScheduleStep;
  /** Due times that were left out, and whether there may have been more. */
  readonly missed: number;
  readonly andMore: boolean;
}

/** A schedule that could not be understood is looked at again after so long. */
const AGAIN_MS = 3_600_000;

/** What its jobs are made of, or why there can be none. */
type Jobs = { readonly request: ScheduleJob; readonly plan: JobPlan } | { readonly message: string };

/** Makes the runs of schedules that are due. One that cannot be made is told of, and keeps no other from its own. */
export class RunMaker {
  constructor(
    private readonly plans: JobPlans,
    private readonly handlers: ReadonlyMap<string, HandlerDefinition>,
  ) {}

  /** @throws only what the database throws */
  async runsOf(schedule: ClaimedSchedule): Promise<DueRuns> {
    const decided = decide(schedule);
    if ('message' in decided) {
      const error = { message: decided.message, dueMs: schedule.nextMs };
      const step = { id: schedule.id, nextMs: schedule.nowMs + AGAIN_MS, runs: [], missed: 0, error };
      return { step, missed: 0, andMore: false };
    }
    const { missed, andMore, nextMs } = decided;
    const { runs, error } = await this.make(schedule, decided);
    return { step: { id: schedule.id, nextMs, runs, missed, error }, missed, andMore };
  }

  private async make(
    schedule: ClaimedSchedule,
    { runs: wanted }: Tick,
  ): Promise<{ runs: ScheduleRun[]; error: RunError | null }> {
    const jobs = wanted.length > 0 ? await this.jobsOf(schedule.job) : { message: 'none is due' };
    let newest = schedule.newestLive;
    let error: RunError | null = null;
    const runs = wanted.map(({ dueMs, kind }): ScheduleRun => {
      if (kind === 'skip') return { dueMs, outcome: 'skipped', job: null };
      if ('message' in jobs) {
        error = { message: jobs.message, dueMs };
        return { dueMs, outcome: 'failed', job: null };
      }
      const job = jobOf(jobs.request, jobs.plan, schedule.id, dueMs, kind === 'wait' ? newest : null);
      newest = job.id;
      return { dueMs, outcome: 'made', job };
    });
    return { runs, error };
  }

  /** The pipelines may be others than when the schedule was made. Its source is looked at by the worker. */
  private async jobsOf(job: unknown): Promise<Jobs> {
    const parsed = scheduleJob.safeParse(job);
    if (!parsed.success) return { message: wordsOf(new InvalidInput(inputFaults(parsed.error))) };
    const request = parsed.data;
    try {
      const plan = await this.plans.planFor(request);
      const faults = optionFaults(request.options ?? {}, plan.stored.definition, this.handlers);
      return faults.length > 0 ? { message: wordsOf(new InvalidInput(faults)) } : { request, plan };
    } catch (error) {
      if (error instanceof InvalidInput) return { message: wordsOf(error) };
      throw error;
    }
  }
}

/** A zone may be gone with another version of Node. */
function decide(schedule: ClaimedSchedule): Tick | { readonly message: string } {
  try {
    return tick(schedule, cronTimes(schedule.cron, schedule.timezone));
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}

/** Its eta is the time that it was due, so that the job tells how late it is. */
function jobOf(request: ScheduleJob, plan: JobPlan, id: string, dueMs: number, after: string | null): NewJob {
  const found = { source: request.source ?? null, type: request.source_type ?? null };
  return {
    ...newJobOf(request, plan, found),
    scheduleId: id,
    etaSeconds: dueMs / 1_000,
    dependsOn: after === null ? [] : [after],
    onDependencyFailure: 'run',
  };
}

const wordsOf = ({ errors }: InvalidInput): string =>
  errors.map(({ path, message }) => `${['job', path].filter((part) => part !== '').join('.')}: ${message}`).join('; ');
