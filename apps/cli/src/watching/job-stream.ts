import { setTimeout as pause } from 'node:timers/promises';
import type { JobView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';
import type { RestClient } from '../rest-client';
import { GatewayProblem, GatewayUnreachable } from '../rest-errors';
import { jobMessages, SocketEnded, type JobEvent } from './job-socket';

/** What there is to show of a job: all of it, or one thing that happened. */
export type JobUpdate = { readonly type: 'snapshot'; readonly job: JobView } | JobEvent;

/** How often to ask while there is no socket. */
const POLL_MS = 1_000;
/** A gateway that was there is waited for so long. */
const GONE_LIMIT_MS = 300_000;

const END_EVENTS = new Set(['job.completed', 'job.failed', 'job.cancelled']);
const REFUSALS = new Set([1008, 400, 401, 403, 404]);

/**
 * Follows a job to its end; the last update is a snapshot of the ended job. Over its WebSocket; where that breaks or
 * cannot be had, by asking every second, while the socket is tried again.
 * @param say told when the connection is lost
 * @throws GatewayProblem when the gateway refuses, GatewayUnreachable when it stays away for minutes; the signal's reason
 */
export async function* followJob(
  client: RestClient,
  id: string,
  signal: AbortSignal,
  say: (text: string) => void,
): AsyncGenerator<JobUpdate> {
  const contact = new Contact(say);
  for (;;) {
    try {
      const { url, headers } = client.jobSocket(id);
      for await (const message of jobMessages(url, headers, signal)) {
        contact.made();
        if (message.type === 'heartbeat') continue;
        if (message.type === 'event' && END_EVENTS.has(message.event)) {
          yield message;
          break;
        }
        yield message;
        if (message.type === 'snapshot' && isEnded(message.job.status)) return;
      }
    } catch (error) {
      if (!(error instanceof SocketEnded)) throw error;
      if (!REFUSALS.has(error.code)) contact.lost();
    }
    const job = await contact.poll(() => client.job(id));
    if (job) yield { type: 'snapshot', job };
    if (job && isEnded(job.status)) return;
    await pause(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Whether the gateway is there: what passes is waited out, for some minutes. */
class Contact {
  private lastMs = performance.now();
  private wasLost = false;

  constructor(private readonly say: (text: string) => void) {}

  made(): void {
    this.lastMs = performance.now();
    this.wasLost = false;
  }

  lost(): void {
    if (!this.wasLost) this.say('The live connection is gone; asking instead until it is back.');
    this.wasLost = true;
  }

  /** The answer; null when there is none for now. */
  async poll(ask: () => Promise<JobView>): Promise<JobView | null> {
    try {
      const job = await ask();
      this.lastMs = performance.now();
      return job;
    } catch (error) {
      const passing = error instanceof GatewayUnreachable || (error instanceof GatewayProblem && error.isPassing);
      if (!passing || performance.now() - this.lastMs > GONE_LIMIT_MS) throw error;
      return null;
    }
  }
}
