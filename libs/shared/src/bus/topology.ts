import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  nanos,
  type ConsumerConfig,
  type ConsumerUpdateConfig,
  type JetStreamManager,
  type StreamConfig,
  type StreamUpdateConfig,
} from 'nats';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import {
  DEAD_STREAM,
  DEAD_SUBJECTS,
  WORK_STREAM,
  WORK_SUBJECTS,
  workConsumer,
  workSubject,
} from '#shared/contracts/subjects';
import {
  explain,
  isConsumerMissing,
  isMadeByOther,
  isStreamMissing,
  StreamConflictError,
} from '#shared/bus/jetstream-errors';
import type { NatsBus } from '#shared/bus/nats-bus';
import { guardHolds } from '#shared/runtime/failpoints';

export interface TopologyOptions {
  readonly queues: readonly string[];
  /** How long a delivered message may stay unacknowledged before it is delivered again. */
  readonly ackWaitMs: number;
}

interface Lane {
  readonly queue: string;
  readonly priority: Priority;
}

const CALL_LIMIT_MS = 5_000;
const DUPLICATE_WINDOW_MS = 120_000;
/** Messages kept through back-offs count too; the default of 1,000 would let them block everything new. */
const MAX_ACK_PENDING = 50_000;
const NATS_MAX_ACK_PENDING = 1_000;
/** A backlog beyond this is refused: its jobs stay in Postgres and get their messages later. */
const MAX_MESSAGES = 10_000_000;
const MAX_DEAD_MESSAGES = 1_000_000;
const DEAD_MAX_AGE_MS = 30 * 86_400_000;

/**
 * Creates or updates the streams and the work stream's consumers. Idempotent, safe at once from many services, and it never
 * deletes a message. Limits that an operator has changed stay. To be called at start and again whenever the store is lost.
 * Throws `JetStreamDisabledError`, `StreamConflictError` or an error that says what failed; trying again is safe.
 */
export async function ensureTopology(bus: NatsBus, options: TopologyOptions): Promise<void> {
  try {
    const api = await bus.jetStream(CALL_LIMIT_MS);
    const lastSeq = await ensureWorkStream(api);
    const lanes = options.queues.flatMap((queue) => PRIORITIES.map((priority) => ({ queue, priority })));
    await Promise.all(lanes.map((lane) => ensureConsumer(api, lane, options.ackWaitMs, lastSeq)));
    // No work waits for it; whoever publishes to it says what is wrong.
    await ensureDead(api).catch(() => undefined);
  } catch (error) {
    throw explain(error, 'cannot prepare the work queue', bus.serverHasJetStream);
  }
}

/** Creates or updates the stream of dead letters alone. Throws as `ensureTopology` does. */
export async function ensureDeadStream(bus: NatsBus): Promise<void> {
  try {
    await ensureDead(await bus.jetStream(CALL_LIMIT_MS));
  } catch (error) {
    throw explain(error, `cannot prepare the stream ${DEAD_STREAM}`, bus.serverHasJetStream);
  }
}

async function ensureDead(api: JetStreamManager): Promise<void> {
  const wanted = {
    subjects: [DEAD_SUBJECTS],
    discard: DiscardPolicy.New,
    allow_direct: true,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    description: 'Sluice: steps that failed for good, to be looked at. Postgres has what can be redriven.',
  } satisfies Partial<StreamUpdateConfig>;
  const found = await orMissing(api.streams.info(DEAD_STREAM), isStreamMissing);
  if (found === null) {
    const created: Partial<StreamConfig> & { name: string } = {
      ...wanted,
      name: DEAD_STREAM,
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      max_msgs: MAX_DEAD_MESSAGES,
      max_age: nanos(DEAD_MAX_AGE_MS),
    };
    return unlessMadeByOther(
      api.streams.add(created).then(() => undefined),
      () => ensureDead(api),
    );
  }
  refuseRetention(DEAD_STREAM, found.config, RetentionPolicy.Limits);
  if (differs(found.config, wanted)) await api.streams.update(DEAD_STREAM, wanted);
}

function refuseRetention(name: string, { retention }: StreamConfig, expected: RetentionPolicy): void {
  if (retention === expected) return;
  throw new StreamConflictError(
    `the stream ${name} exists with retention "${retention}", expected "${expected}": ` +
      'delete or rename it, or use another NATS account',
  );
}

/** Gives the number of the stream's last message. */
async function ensureWorkStream(api: JetStreamManager): Promise<number> {
  const wanted = {
    subjects: [WORK_SUBJECTS],
    discard: DiscardPolicy.New,
    // Without it `nats stream view` refuses to page through a work queue.
    allow_direct: true,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
    description: 'Sluice: turns of jobs that are ready to run, one message each, gone once acknowledged.',
  } satisfies Partial<StreamUpdateConfig>;
  const found = await orMissing(api.streams.info(WORK_STREAM), isStreamMissing);
  if (found === null) {
    const created: Partial<StreamConfig> & { name: string } = {
      ...wanted,
      name: WORK_STREAM,
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      max_msgs: MAX_MESSAGES,
    };
    return unlessMadeByOther(
      api.streams.add(created).then(({ state }) => state.last_seq),
      () => ensureWorkStream(api),
    );
  }
  const { config } = found;
  refuseRetention(WORK_STREAM, config, RetentionPolicy.Workqueue);
  if (differs(config, wanted)) await api.streams.update(WORK_STREAM, wanted);
  return found.state.last_seq;
}

async function ensureConsumer(
  api: JetStreamManager,
  lane: Lane,
  ackWaitMs: number,
  streamLastSeq: number,
): Promise<void> {
  const { queue, priority } = lane;
  const name = workConsumer(queue, priority);
  const wanted = {
    ack_wait: nanos(ackWaitMs),
    max_deliver: -1,
    max_ack_pending: guardHolds('bus.roomy_consumers') ? MAX_ACK_PENDING : NATS_MAX_ACK_PENDING,
    filter_subject: workSubject(queue, priority),
    description: `Sluice: hands turns of queue "${queue}", priority ${priority}, to step workers.`,
  } satisfies Partial<ConsumerUpdateConfig>;
  const found = await orMissing(api.consumers.info(WORK_STREAM, name), isConsumerMissing);
  if (found === null) {
    const created: Partial<ConsumerConfig> = {
      ...wanted,
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
    };
    return unlessMadeByOther(
      api.consumers.add(WORK_STREAM, created).then(() => undefined),
      () => ensureConsumer(api, lane, ackWaitMs, streamLastSeq),
    );
  }
  const deliveredSeq = found.delivered.stream_seq;
  if (deliveredSeq > streamLastSeq && (await isBeyondStream(api, deliveredSeq))) {
    await api.consumers.delete(WORK_STREAM, name).catch(() => false);
    return ensureConsumer(api, lane, ackWaitMs, streamLastSeq);
  }
  if (differs(found.config, wanted)) await api.consumers.update(WORK_STREAM, name, wanted);
}

/**
 * A power failure can cost a stream its end while a consumer remembers more. Such a consumer hands out nothing until
 * the numbers have caught up, and its server does not notice: it is made anew and starts with all that is there.
 */
async function isBeyondStream(api: JetStreamManager, deliveredSeq: number): Promise<boolean> {
  const { state } = await api.streams.info(WORK_STREAM);
  return deliveredSeq > state.last_seq;
}

async function unlessMadeByOther<T>(making: Promise<T>, again: () => Promise<T>): Promise<T> {
  try {
    return await making;
  } catch (error) {
    if (!isMadeByOther(error)) throw error;
    return again();
  }
}

async function orMissing<T>(asked: Promise<T>, isMissing: (error: unknown) => boolean): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const differs = <T extends object>(found: Partial<T>, wanted: Partial<T>): boolean =>
  (Object.keys(wanted) as (keyof T)[]).some((key) => JSON.stringify(found[key]) !== JSON.stringify(wanted[key]));
