import {
  AckPolicy,
  DeliverPolicy,
  nanos,
  type RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type ConsumerUpdateConfig,
  type JetStreamManager,
  type StreamConfig,
  type StreamUpdateConfig,
} from 'nats';
import { isConsumerMissing, isMadeByOther, isStreamMissing, StreamConflictError } from '#shared/bus/jetstream-errors';

/** How long one of JetStream's management calls may take. */
export const CALL_LIMIT_MS = 5_000;
const DUPLICATE_WINDOW_MS = 120_000;

/** A stream on file as it is to be. */
export interface StreamPlan {
  readonly name: string;
  readonly retention: RetentionPolicy;
  /** What it has whenever it was looked after. */
  readonly settings: Partial<StreamUpdateConfig>;
  /** What it has when it is made; an operator may change it. */
  readonly limits: Partial<StreamConfig>;
}

/** What all our streams have in common. */
export const COMMON_SETTINGS = {
  // Without it `nats stream view` refuses to page through a work queue.
  allow_direct: true,
  duplicate_window: nanos(DUPLICATE_WINDOW_MS),
} satisfies Partial<StreamUpdateConfig>;

/** Makes the stream or brings it up to date. Gives the number of its last message. @throws StreamConflictError */
export async function ensureStream(api: JetStreamManager, plan: StreamPlan): Promise<number> {
  const { name, retention, settings, limits } = plan;
  const found = await orMissing(api.streams.info(name), isStreamMissing);
  if (found === null) {
    const created = { ...settings, ...limits, name, retention, storage: StorageType.File };
    return unlessMadeByOther(
      api.streams.add(created).then(({ state }) => state.last_seq),
      () => ensureStream(api, plan),
    );
  }
  refuseRetention(found.config, retention);
  if (differs(found.config, settings)) await api.streams.update(name, settings);
  return found.state.last_seq;
}

/** A durable pull consumer, whose messages are acknowledged one by one, as it is to be. */
export interface ConsumerPlan {
  readonly stream: string;
  readonly name: string;
  readonly settings: Partial<ConsumerUpdateConfig>;
}

/**
 * Makes the consumer or brings it up to date.
 * @param streamLastSeq the number of the stream's last message, as it was lately
 */
export async function ensureConsumer(api: JetStreamManager, plan: ConsumerPlan, streamLastSeq: number): Promise<void> {
  const { stream, name, settings } = plan;
  const found = await orMissing(api.consumers.info(stream, name), isConsumerMissing);
  if (found === null) {
    const created: Partial<ConsumerConfig> = {
      ...settings,
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
    };
    return unlessMadeByOther(
      api.consumers.add(stream, created).then(() => undefined),
      () => ensureConsumer(api, plan, streamLastSeq),
    );
  }
  const deliveredSeq = found.delivered.stream_seq;
  if (deliveredSeq > streamLastSeq && (await isBeyond(api, stream, deliveredSeq))) {
    await api.consumers.delete(stream, name).catch(() => false);
    return ensureConsumer(api, plan, streamLastSeq);
  }
  if (differs(found.config, settings)) await api.consumers.update(stream, name, settings);
}

/**
 * A power failure can cost a stream its end while a consumer remembers more. Such a consumer hands out nothing until
 * the numbers have caught up, and its server does not notice: it is made anew and starts with all that is there.
 */
async function isBeyond(api: JetStreamManager, stream: string, deliveredSeq: number): Promise<boolean> {
  const { state } = await api.streams.info(stream);
  return deliveredSeq > state.last_seq;
}

function refuseRetention({ name, retention }: StreamConfig, expected: RetentionPolicy): void {
  if (retention === expected) return;
  throw new StreamConflictError(
    `the stream ${name} exists with retention "${retention}", expected "${expected}": ` +
      'delete or rename it, or use another NATS account',
  );
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
