import type { JetStreamManager } from 'nats';
import { z } from 'zod';
import { WORK_STREAM, workConsumer, workSubject } from '#shared/contracts/subjects';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { firstMessageFrom } from '#shared/bus/frontier';
import type { NatsBus } from '#shared/bus/nats-bus';

/** What of a queue lies in the stream and was not delivered yet. */
export interface QueueBacklog {
  readonly waiting: number;
  /** When the first of it was handed out, in microseconds since 1970 by the database's clock; null: there is none. */
  readonly since: number | null;
}

const handedOut = z.object({ at: z.number().int() });

/**
 * Asks for the backlogs of these queues, of all priorities together. What is not answered in time, or has no consumer,
 * is left out. Never rejects.
 */
export async function readBacklogs(
  bus: NatsBus,
  queues: readonly string[],
  limitMs: number,
): Promise<ReadonlyMap<string, QueueBacklog>> {
  const found = new Map<string, QueueBacklog>();
  if (queues.length === 0) return found;
  const look = async (queue: string): Promise<void> => {
    const api = await bus.jetStream(limitMs);
    const lanes = await Promise.all(PRIORITIES.map((priority) => backlogOf(api, queue, priority)));
    const since = lanes.flatMap((lane) => lane.since ?? []);
    found.set(queue, {
      waiting: lanes.reduce((sum, lane) => sum + lane.waiting, 0),
      since: since.length > 0 ? Math.min(...since) : null,
    });
  };
  const looks = Promise.all(queues.map((queue) => look(queue).catch(() => undefined)));
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([looks, limit]);
  clearTimeout(timer);
  // What comes later is not what was waited for.
  return new Map(found);
}

async function backlogOf(api: JetStreamManager, queue: string, priority: Priority): Promise<QueueBacklog> {
  const { num_pending, delivered } = await api.consumers.info(WORK_STREAM, workConsumer(queue, priority));
  if (num_pending === 0) return { waiting: 0, since: null };
  const first = await firstMessageFrom(api, workSubject(queue, priority), delivered.stream_seq + 1);
  return { waiting: num_pending, since: first && atOf(first.data) };
}

function atOf(data: Uint8Array): number | null {
  try {
    return handedOut.parse(JSON.parse(Buffer.from(data).toString())).at;
  } catch {
    return null; // somebody else's message: it waits all the same
  }
}
