import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import type { TurnPublisher } from '#shared/bus/turn-publisher';
import type { LiveEventBatch } from '#shared/contracts/live-event';
import type { WorkData, WorkMessage } from '#shared/contracts/work-message';
import { isLimited } from '#shared/domain/pipeline';
import type { JobStatus, Priority } from '#shared/domain/status';
import { stepsIn, type StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';

/** Steps of a job that need a message, after the commit that said so. */
export interface Dispatch {
  readonly jobId: string;
  readonly run: number;
  readonly priority: Priority;
  readonly pipeline: StoredPipeline;
  readonly steps: StepSet;
  readonly at: Micros;
  /** The steps must be claimed: all but the very first publish of an opening. */
  readonly read: boolean;
  /** `performance.now()` from before the steps' opening was asked for; left out where they must be claimed anyway. */
  readonly askedAtMs?: number;
  readonly data?: WorkData;
}

/** Publishes turns for the scheduler. What is not stored is found by a later look. */
export class TurnDispatch {
  constructor(
    private readonly bus: NatsBus,
    private readonly publisher: TurnPublisher,
  ) {}

  /** Whether what is sent now may arrive. */
  get isConnected(): boolean {
    return this.bus.isConnected && !this.bus.isStalled;
  }

  /** Resolves to how many were stored. Never rejects. */
  async send({ jobId, run, priority, pipeline, steps, at, read, askedAtMs, data }: Dispatch): Promise<number> {
    const outcomes = await Promise.all(
      stepsIn(steps).map(async (head) => {
        const step = pipeline.definition.steps[head];
        if (!step) return undefined;
        const mustRead = read || isLimited(step);
        const message: WorkMessage = {
          ...{ job_id: jobId, run, head, at, read: mustRead, pipeline_hash: pipeline.hash },
          data: mustRead ? undefined : data,
        };
        return this.publisher.publish({ message, queue: step.queue, priority, askedAtMs });
      }),
    );
    return outcomes.filter((outcome) => outcome?.kind === 'stored').length;
  }

  /** Tells those who watch the job that the steps were handed out. */
  tell(
    dispatch: Dispatch,
    version: number,
    jobStatus: JobStatus,
    event?: 'job.pending' | 'job.waiting' | 'job.retried',
  ): void {
    const at = new Date(dispatch.at / 1_000).toISOString();
    const queued = stepsIn(dispatch.steps).map((idx) => ({
      event: 'step.queued' as const,
      ...{ at, step: dispatch.pipeline.definition.steps[idx]?.name, status: 'queued' as const },
    }));
    const job = event ? [{ event, at, job_status: jobStatus }] : [];
    const batch: LiveEventBatch = { job_id: dispatch.jobId, version, events: [...job, ...queued] };
    publishEvents(this.bus, dispatch.jobId, JSON.stringify(batch));
  }
}
