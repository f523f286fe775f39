import { DiscardPolicy, nanos, RetentionPolicy } from 'nats';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { WORK_STREAM, WORK_SUBJECTS, workConsumer, workSubject } from '#shared/contracts/subjects';
import { explain } from '#shared/bus/jetstream-errors';
import type { NatsBus } from '#shared/bus/nats-bus';
import { ensureSideStreams } from '#shared/bus/side-streams';
import {
  CALL_LIMIT_MS,
  COMMON_SETTINGS,
  type ConsumerPlan,
  ensureConsumer,
  ensureStream,
  type StreamPlan,
} from '#shared/bus/stream-setup';
import { guardHolds } from '#shared/runtime/failpoints';

export interface TopologyOptions {
  readonly queues: readonly string[];
  /** How long a delivered message may stay unacknowledged before it is delivered again. */
  readonly ackWaitMs: number;
}

/** Messages kept through back-offs count too; the default of 1,000 would let them block everything new. */
const MAX_ACK_PENDING = 50_000;
const NATS_MAX_ACK_PENDING = 1_000;

const WORK: StreamPlan = {
  name: WORK_STREAM,
  retention: RetentionPolicy.Workqueue,
  settings: {
    ...COMMON_SETTINGS,
    subjects: [WORK_SUBJECTS],
    discard: DiscardPolicy.New,
    description: 'Sluice: turns of jobs that are ready to run, one message each, gone once acknowledged.',
  },
  // A backlog beyond this is refused: its jobs stay in Postgres and get their messages later.
  limits: { max_msgs: 10_000_000 },
};

/**
 * Creates or updates the streams and their consumers. Idempotent, safe at once from many services, and it never deletes
 * a message. Limits that an operator has changed stay. To be called at start and again whenever the store is lost.
 * Throws `JetStreamDisabledError`, `StreamConflictError` or an error that says what failed; trying again is safe.
 */
export async function ensureTopology(bus: NatsBus, options: TopologyOptions): Promise<void> {
  try {
    const api = await bus.jetStream(CALL_LIMIT_MS);
    const lastSeq = await ensureStream(api, WORK);
    const lanes = options.queues.flatMap((queue) => PRIORITIES.map((priority) => lane(queue, priority, options)));
    await Promise.all(lanes.map((plan) => ensureConsumer(api, plan, lastSeq)));
    await ensureSideStreams(api);
  } catch (error) {
    throw explain(error, 'cannot prepare the work queue', bus.serverHasJetStream);
  }
}

const lane = (queue: string, priority: Priority, { ackWaitMs }: TopologyOptions): ConsumerPlan => ({
  stream: WORK_STREAM,
  name: workConsumer(queue, priority),
  settings: {
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: guardHolds('bus.roomy_consumers') ? MAX_ACK_PENDING : NATS_MAX_ACK_PENDING,
    filter_subject: workSubject(queue, priority),
    description: `Sluice: hands turns of queue "${queue}", priority ${priority}, to step workers.`,
  },
});
