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

interface FirstMessage {
  readonly seq: number;
  readonly data: Uint8Array;
}

const CALL_LIMIT_MS = 3_000;

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
 * those up to the consumer's ack floor, below which it has nothing undelivered or unacknowledged. Gives how many; 0
 * too when nobody answers.
 */
export async function purgeAcknowledgedOrphans(bus: NatsBus, queue: string, priority: Priority): Promise<number> {
  try {
    const api = await bus.jetStream(CALL_LIMIT_MS);
    const subject = workSubject(queue, priority);
    const consumer = await api.consumers.info(WORK_STREAM, workConsumer(queue, priority));
    const floor = Math.min(consumer.ack_floor.stream_seq, consumer.delivered.stream_seq);
    const first = await firstMessageFrom(api, subject, 1);
    if (!first || first.seq > floor) return 0;
    const { purged } = await api.streams.purge(WORK_STREAM, { filter: subject, seq: floor + 1 });
    return purged;
  } catch {
    return 0; // the next look tries again
  }
}

async function firstMessageFrom(api: JetStreamManager, subject: string, seq: number): Promise<FirstMessage | null> {
  const query: SeqMsgRequest & { next_by_subj: string } = { seq, next_by_subj: subject };
  try {
    const found = await api.streams.getMessage(WORK_STREAM, query);
    return { seq: found.seq, data: found.data };
  } catch (error) {
    if (isNoMessage(error)) return null;
    throw error;
  }
}
