import { failpoint } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import type { DueJobs } from '#shared/store/jobs/due-jobs';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import type { TurnDispatch } from './turn-dispatch';

const BATCH = 500;
/** A wake-up lost costs at most this. */
const LONGEST_PAUSE_MS = 1_000;

/** Releases held jobs at their time, by the database's clock. One that needs other jobs waits for them from then on. */
export class DelayedJobRelease {
  constructor(
    private readonly due: DueJobs,
    private readonly pipelines: PipelineStore,
    private readonly dispatch: TurnDispatch,
    private readonly log: Logger,
  ) {}

  /** Releases one batch of what is due. @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    const askedAtMs = performance.now();
    const jobs = await this.due.release(BATCH);
    if (jobs.length > 0) failpoint('scheduler.released');
    for (const job of jobs) {
      const pipeline = this.pipelines.peek(job.pipelineHash) ?? (await this.pipelines.get(job.pipelineHash));
      const { id: jobId, run, status, priority, opened: steps, releasedAt: at, data, version } = job;
      // In a later run nothing may begin unread: nobody has to know what the runs before it left.
      const dispatch = { jobId, run, priority, pipeline, steps, at, read: run > 1, askedAtMs, data };
      void this.dispatch.send(dispatch);
      this.dispatch.tell(dispatch, version, status, status === 'waiting' ? 'job.waiting' : 'job.pending');
    }
    if (jobs.length > 0) this.log.debug({ jobs: jobs.length }, 'the time of jobs has come');
    if (jobs.length === BATCH) return 0;
    return Math.min(LONGEST_PAUSE_MS, Math.max(0, (await this.due.nextInMs()) ?? LONGEST_PAUSE_MS));
  }
}
