import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import type { TurnPublisher } from '#shared/bus/turn-publisher';
import type { JobView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { NewJob } from '#shared/domain/new-job';
import type { Logger } from '#shared/runtime/logger';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { openingTurns } from './opening-turns';

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
  private missed = 0;

  constructor(
    private readonly bus: NatsBus,
    private readonly turns: TurnPublisher,
    private readonly log: Logger,
  ) {}

  /** @param askedAtMs `performance.now()` from before the database was asked to store them */
  announce(stored: readonly StoredJob[], askedAtMs: number): void {
    for (const { job, pipeline, dispatchedAt } of stored) {
      if (dispatchedAt === null) continue;
      for (const turn of openingTurns(job, pipeline, dispatchedAt, askedAtMs)) void this.publish(turn);
    }
    for (const each of stored) publishEvents(this.bus, each.job.id, JSON.stringify(newsOf(each)));
    if (stored.some(({ dispatchedAt }) => dispatchedAt === null)) notify(this.bus, SCHEDULER_WAKE);
  }

  private async publish(turn: Parameters<TurnPublisher['publish']>[0]): Promise<void> {
    const { kind } = await this.turns.publish(turn);
    if (kind === 'stored') return;
    this.missed += 1;
    // One line for the first and for each power of ten: the bus may be away for thousands of them.
    if (Number.isInteger(Math.log10(this.missed))) {
      this.log.warn(
        { count: this.missed, outcome: kind },
        'turns were not taken by NATS: the scheduler sends them later',
      );
    }
  }
}

function newsOf({ view }: StoredJob): LiveEventBatch {
  const held = view.status === 'scheduled';
  const job: LiveEvent = {
    event: held ? 'job.scheduled' : 'job.pending',
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
