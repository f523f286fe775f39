import type { JobView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventName } from '#shared/contracts/live-event';
import type { StepStatus } from '#shared/domain/status';

const OVER = new Set<StepStatus>(['completed', 'failed', 'skipped', 'cancelled', 'retrying']);
const ENDS = new Set<LiveEventName>([
  'step.completed',
  'step.failed',
  'step.skipped',
  'step.cancelled',
  'step.retrying',
]);

/** Which attempts of a job's steps are known to be over, so that progress that comes late is known as such. */
export class AttemptsOver {
  private readonly lastOver = new Map<string, number>();

  /** Forgets what it knew: the snapshot knows it. */
  learnFrom(job: JobView): void {
    this.lastOver.clear();
    for (const step of job.steps) if (OVER.has(step.status)) this.lastOver.set(step.name, step.attempt);
  }

  learn(event: LiveEvent): void {
    if (event.step === undefined || event.attempt === undefined) return;
    if (ENDS.has(event.event)) this.lastOver.set(event.step, event.attempt);
  }

  /** Whether the event belongs to an attempt that is over. Of one that names no attempt nobody knows. */
  includes(event: LiveEvent): boolean {
    if (event.step === undefined || event.attempt === undefined) return false;
    return event.attempt <= (this.lastOver.get(event.step) ?? 0);
  }
}
