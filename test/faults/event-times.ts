import { connect, type NatsConnection } from 'nats';
import { liveEventBatch, type LiveEventBatch } from '#shared/contracts/live-event';
import { ALL_EVENTS } from '#shared/contracts/subjects';
import { TOLERANCE_MS } from './recorded-times';

/** Later than any back-off of the pipelines that have one in these rows. */
const LONGEST_BACK_OFF_MS = 5_000;

/** Listens to what services tell of jobs as it happens, and looks at the times that they give. */
export class EventTimes {
  private readonly batches: LiveEventBatch[] = [];

  private constructor(private readonly connection: NatsConnection) {}

  static async listen(url: string): Promise<EventTimes> {
    const connection = await connect({ servers: url });
    const times = new EventTimes(connection);
    connection.subscribe(ALL_EVENTS, {
      callback: (_, message) => void times.batches.push(liveEventBatch.parse(message.json())),
    });
    await connection.flush();
    return times;
  }

  /** Events of these jobs that say another time than when all of it happened. @throws when nothing was told */
  wrong(jobs: ReadonlySet<string>, fromMs: number, toMs: number): string[] {
    const wrong = new Set<string>();
    const told = new Set<string>();
    const isOff = (time: string, laterMs = 0): boolean => {
      const ms = Date.parse(time);
      return ms < fromMs - TOLERANCE_MS || ms > toMs + TOLERANCE_MS + laterMs;
    };
    for (const { job_id: job, events } of this.batches) {
      if (!jobs.has(job)) continue;
      for (const { event, at, next_retry_at: next, last_error: error } of events) {
        told.add(event);
        if (isOff(at)) wrong.add(event);
        if (next !== undefined && isOff(next, LONGEST_BACK_OFF_MS)) wrong.add(`${event}, next_retry_at`);
        if (error && isOff(error.at)) wrong.add(`${event}, last_error.at`);
      }
    }
    for (const event of EXPECTED) if (!told.has(event)) throw new Error(`nobody told of ${event}`);
    return [...wrong];
  }

  async stop(): Promise<void> {
    await this.connection.close();
  }
}

const EXPECTED = [
  ...['job.scheduled', 'job.pending', 'job.started', 'job.completed', 'job.failed', 'job.cancelling', 'job.cancelled'],
  ...['step.queued', 'step.started', 'step.progress', 'step.retrying', 'step.completed', 'step.failed'],
];
