import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { CANCEL_BROADCAST, SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { JobStatus } from '#shared/domain/status';
import { stepsIn } from '#shared/domain/step-set';
import { isoOf, type JobDraft } from '#shared/domain/turn/job-draft';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { TurnSender } from './turn-sender';

/** Says on the bus what somebody's wish has changed, after the commit. Without the bus nothing of it fails. */
export class ChangeAnnouncer {
  constructor(
    private readonly bus: NatsBus,
    private readonly turns: TurnSender,
  ) {}

  /** A held job: none of its steps had begun. */
  cancelled(draft: JobDraft): void {
    const at = isoOf(draft.now);
    const steps = draft.pipeline.steps.map((step): LiveEvent => {
      return { event: 'step.cancelled', at, step: step.name, status: 'cancelled' };
    });
    this.tell(draft, [...steps, { event: 'job.cancelled', at, job_status: 'cancelled' }]);
  }

  cancelling(draft: JobDraft): void {
    this.tell(draft, [{ event: 'job.cancelling', at: isoOf(draft.now), job_status: 'cancelling' }]);
  }

  /** Workers look at what is being cancelled, the scheduler at whether it can be ended. Both would also by themselves. */
  lookAtCancels(): void {
    notify(this.bus, CANCEL_BROADCAST);
    notify(this.bus, SCHEDULER_WAKE);
  }

  /** The steps that the new run begins with are claimed: nobody has to know what an earlier run left. */
  retried(draft: JobDraft, pipeline: StoredPipeline): void {
    this.goesOn(draft, pipeline, [{ event: 'job.retried', at: isoOf(draft.now), job_status: draft.job.status }]);
  }

  /** A held job has another time, or has been let go. */
  rescheduled(draft: JobDraft, pipeline: StoredPipeline): void {
    this.goesOn(draft, pipeline, []);
  }

  /** With what it waits for now, or the messages of the steps that it begins with. */
  private goesOn(draft: JobDraft, pipeline: StoredPipeline, events: LiveEvent[]): void {
    const { job, opened, hold } = draft;
    const at = isoOf(draft.now);
    const held = eventOfHold(job.status);
    if (held !== null) {
      events.push({ event: held, at, job_status: job.status, ...(hold.eta !== null && { eta: isoOf(hold.eta) }) });
      notify(this.bus, SCHEDULER_WAKE);
    } else if (draft.rescheduled) {
      events.push({ event: 'job.pending', at, job_status: job.status });
    }
    for (const head of stepsIn(opened)) {
      const step = draft.step(head);
      events.push({ event: 'step.queued', at, step: step.name, status: 'queued' });
      const message = { job_id: job.id, run: job.run, head, at: draft.now, read: true, pipeline_hash: pipeline.hash };
      this.turns.send({ message, queue: step.queue, priority: job.priority });
    }
    this.tell(draft, events);
  }

  private tell({ job }: JobDraft, events: LiveEvent[]): void {
    const batch: LiveEventBatch = { job_id: job.id, version: job.version + 1, events };
    publishEvents(this.bus, job.id, JSON.stringify(batch));
  }
}

/** What is told of a job that is held; null: it is not. */
export function eventOfHold(status: JobStatus): 'job.scheduled' | 'job.waiting' | null {
  if (status === 'scheduled') return 'job.scheduled';
  return status === 'waiting' ? 'job.waiting' : null;
}
