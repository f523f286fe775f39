import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import type { JobStatus } from '#shared/domain/status';
import { tellOfDependency } from '#shared/domain/turn/hold';
import { isoOf, type JobDraft } from '#shared/domain/turn/job-draft';
import { failpoint } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import type { Dependants, ToTell } from '#shared/store/jobs/dependants';
import type { Applied, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { TurnDispatch } from './turn-dispatch';

const JOBS_A_LOOK = 500;
const DEPENDANTS_A_LOOK = 2_000;
const PAUSE_MS = 1_000;
/** After a look that found jobs and changed nothing: others are at work on them. */
const BUSY_PAUSE_MS = 100;

export interface DependantReleaseDeps {
  readonly bus: NatsBus;
  readonly dependants: Dependants;
  readonly transactions: JobTransactions;
  readonly dispatch: TurnDispatch;
  readonly log: Logger;
}

/**
 * Tells jobs how those stand that they need: released after the last of them, failed with the first that has, held again
 * when that one goes on. What counts is how a job stands, not what happened to it: a round that dies, or two at once,
 * leave nothing untold and tell nothing twice.
 */
export class DependantRelease {
  constructor(private readonly deps: DependantReleaseDeps) {}

  /** @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    const { dependants, log } = this.deps;
    const untold = await dependants.untold(JOBS_A_LOOK);
    if (untold.length === 0) return PAUSE_MS;
    const toTell = await dependants.toTell(untold, DEPENDANTS_A_LOOK);
    const told = await Promise.all(toTell.map((each) => this.tell(each)));
    const moved = told.filter(Boolean).length;
    if (moved > 0) log.debug({ jobs: untold.length, dependants: moved }, 'told those that need them how jobs stand');
    const noted = await dependants.noteTold(untold);
    // A job that has failed with another one has dependants of its own; and there may be more than one look has told.
    return moved + noted > 0 ? 0 : BUSY_PAUSE_MS;
  }

  /** @returns whether it has moved */
  private async tell({ jobId, neededId }: ToTell): Promise<boolean> {
    const applied = await this.deps.transactions.run({
      jobId,
      beside: neededId,
      apply: (draft, { statusOf }) => {
        const status = statusOf(neededId);
        return status !== undefined && tellOfDependency(draft, neededId, status);
      },
    });
    if (!applied) return false;
    const { draft, result: hasMoved } = applied;
    // It waits on, for others; its version has risen, and who watches it would miss one.
    if (!hasMoved && draft.changed && isHeld(draft.job.status)) this.tellWatchers(draft, eventsOfHold(draft));
    if (!hasMoved) return false;
    failpoint('scheduler.dependant_told', jobId);
    this.announce(applied);
    return true;
  }

  private announce({ draft, pipeline, statusBefore }: Applied<boolean>): void {
    const { job, opened: steps, now } = draft;
    const retried: LiveEvent[] =
      statusBefore === 'failed' ? [{ event: 'job.retried', at: isoOf(now), job_status: job.status }] : [];
    if (job.status === 'pending') {
      const dispatch = { jobId: job.id, run: job.run, priority: job.priority, pipeline, steps, at: now, read: true };
      void this.deps.dispatch.send(dispatch);
      const event = retried.length > 0 ? 'job.retried' : 'job.pending';
      return this.deps.dispatch.tell(dispatch, job.version + 1, job.status, event);
    }
    this.tellWatchers(draft, job.status === 'failed' ? eventsOfFailure(draft) : [...retried, ...eventsOfHold(draft)]);
  }

  private tellWatchers({ job }: JobDraft, events: LiveEvent[]): void {
    const batch: LiveEventBatch = { job_id: job.id, version: job.version + 1, events };
    publishEvents(this.deps.bus, job.id, JSON.stringify(batch));
  }
}

function eventsOfHold({ job, hold, now }: JobDraft): LiveEvent[] {
  const about = { at: isoOf(now), job_status: job.status };
  if (job.status === 'waiting') return [{ event: 'job.waiting', ...about }];
  return [{ event: 'job.scheduled', ...about, ...(hold.eta !== null && { eta: isoOf(hold.eta) }) }];
}

const isHeld = (status: JobStatus): boolean => status === 'scheduled' || status === 'waiting';

/** None of its steps had begun. */
function eventsOfFailure({ job, pipeline, error, now }: JobDraft): LiveEvent[] {
  const at = isoOf(now);
  const skipped = pipeline.steps.map((step): LiveEvent => {
    return { event: 'step.skipped', at, step: step.name, status: 'skipped' };
  });
  return [...skipped, { event: 'job.failed', at, job_status: job.status, ...(error && { last_error: error }) }];
}
