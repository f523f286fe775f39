import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import type { JobView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { SCHEDULER_WAKE, wakeForDue } from '#shared/contracts/subjects';
import type { NewJob } from '#shared/domain/new-job';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { eventOfHold } from './change-announcer';
import { openingTurns } from './opening-turns';
import type { TurnSender } from './turn-sender';

/** A job that was committed. */
export interface StoredJob {
  readonly job: NewJob;
  readonly pipeline: StoredPipeline;
  readonly view: JobView;
  /** Microseconds since 1970 by the database's clock; null while it is held. */
  readonly dispatchedAt: number | null;
}

/**
 * Says on the bus that jobs were stored: their turns to the workers, what happened to whoever watches. Nobody waits for
 * it: a turn that does not arrive is found and sent again by the scheduler.
 */
export class JobAnnouncer {
  constructor(
    private readonly bus: NatsBus,
    private readonly turns: TurnSender,
  ) {}

  /** @param askedAtMs `performance.now()` from before the database was asked to store them */
  announce(stored: readonly StoredJob[], askedAtMs: number): void {
    for (const { job, pipeline, dispatchedAt } of stored) {
      if (dispatchedAt === null) continue;
      for (const turn of openingTurns(job, pipeline, dispatchedAt, askedAtMs)) this.turns.send(turn);
    }
    for (const each of stored) publishEvents(this.bus, each.job.id, JSON.stringify(newsOf(each)));
    const held = stored.filter(({ dispatchedAt }) => dispatchedAt === null);
    if (held.length > 0) notify(this.bus, SCHEDULER_WAKE, wakeFor(held));
  }
}

/** A scheduler that looks before the first of them is due has nothing to wake up for. */
function wakeFor(held: readonly StoredJob[]): string {
  const etas = held.flatMap(({ view }) => (view.status === 'scheduled' && view.eta !== null ? [view.eta] : []));
  const [first] = etas.sort();
  return first !== undefined && etas.length === held.length ? wakeForDue(first) : '';
}

function newsOf({ view }: StoredJob): LiveEventBatch {
  const job: LiveEvent = {
    event: eventOfHold(view.status) ?? 'job.pending',
    at: view.created_at,
    job_status: view.status,
    progress: 0,
    ...(view.eta !== null && { eta: view.eta }),
  };
  const queued = view.steps
    .filter((step) => step.status === 'queued')
    .map((step): LiveEvent => ({ event: 'step.queued', at: view.created_at, step: step.name, status: 'queued' }));
  return { job_id: view.id, version: view.version, events: [job, ...queued] };
}
