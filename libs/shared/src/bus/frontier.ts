import type { JetStreamManager, SeqMsgRequest } from 'nats';
import { WORK_STREAM, workConsumer, workSubject } from '#shared/contracts/subjects';
import type { Priority } from '#shared/domain/status';
import { words } from '#shared/bus/connection-keeper';
import { isNoMessage } from '#shared/bus/jetstream-errors';
import type { NatsBus } from '#shared/bus/nats-bus';

export type Frontier =
  /** Nothing of the subject waits for its first delivery. */
  | { readonly kind: 'empty' }
  /** The first message not yet delivered. */
  | { readonly kind: 'message'; readonly data: Uint8Array; readonly seq: number }
  /** No answer, or the stream or consumer is missing: conclude nothing from it. */
  | { readonly kind: 'unknown'; readonly reason: string };

export interface FirstMessage {
  readonly seq: number;
  readonly data: Uint8Array;
}

const CALL_LIMIT_MS = 3_000;
const MAX_ORPHANS = 1_000;

/** The first message of a queue and priority that was not delivered yet. Never rejects. */
export async function readFrontier(bus: NatsBus, queue: string, priority: Priority): Promise<Frontier> {
  try {
    const api = await bus.jetStream(CALL_LIMIT_MS);
    const { delivered } = await api.consumers.info(WORK_STREAM, workConsumer(queue, priority));
    const first = await firstMessageFrom(api, workSubject(queue, priority), delivered.stream_seq + 1);
    return first ? { kind: 'message', ...first } : { kind: 'empty' };
  } catch (error) {
    return { kind: 'unknown', reason: words(error) };
  }
}

/**
 * Removes messages that were acknowledged and yet stayed in the stream, as a server that is killed can leave them:
 * those up to the consumer's ack floor, below which it has nothing undelivered or unacknowledged. At most 1,000 a
 * call. Gives how many; 0 too when nobody answers.
 *
 * One by one: a purge up to a number makes servers of version 2.9 forget what is unacknowledged above it as well.
 */
export async function purgeAcknowledgedOrphans(bus: NatsBus, queue: string, priority: Priority): Promise<number> {
  try {
    const api = await bus.jetStream(CALL_LIMIT_MS);
    const consumer = workConsumer(queue, priority);
    const before = await api.consumers.info(WORK_STREAM, consumer);
    const orphans = await listUpTo(before.ack_floor.stream_seq, api, workSubject(queue, priority));
    if (orphans.length === 0) return 0;
    const [now, stream] = await Promise.all([api.consumers.info(WORK_STREAM, consumer), api.streams.info(WORK_STREAM)]);
    const isSame = now.created === before.created && now.delivered.stream_seq <= stream.state.last_seq;
    if (!isSame) return 0; // made anew meanwhile, or ahead of a stream that has lost its end: its floor says nothing
    const removals = orphans.map((seq) => api.streams.deleteMessage(WORK_STREAM, seq, false).catch(() => false));
    return (await Promise.all(removals)).filter((removed) => removed).length;
  } catch {
    return 0; // the next look tries again
  }
}

async function listUpTo(floor: number, api: JetStreamManager, subject: string): Promise<number[]> {
  const found: number[] = [];
  for (let from = 1; from <= floor && found.length < MAX_ORPHANS;) {
    const message = await firstMessageFrom(api, subject, from);
    if (!message || message.seq > floor) break;
    found.push(message.seq);
    from = message.seq + 1;
  }
  return found;
}

/** The first message of the subject from that number on; null when there is none. */
export async function firstMessageFrom(
  api: JetStreamManager,
  subject: string,
  seq: number,
): Promise<FirstMessage | null> {
  const query: SeqMsgRequest & { next_by_subj: string } = { seq, next_by_subj: subject };
  try {
    const found = await api.streams.getMessage(WORK_STREAM, query);
    return { seq: found.seq, data: found.data };
  } catch (error) {
    if (isNoMessage(error)) return null;
    throw error;
  }
}
