import { DiscardPolicy, nanos, RetentionPolicy, type JetStreamManager } from 'nats';
import {
  DEAD_STREAM,
  DEAD_SUBJECTS,
  TELEMETRY_CONSUMER,
  TELEMETRY_STREAM,
  TELEMETRY_SUBJECTS,
} from '#shared/contracts/subjects';
import { explain } from '#shared/bus/jetstream-errors';
import type { NatsBus } from '#shared/bus/nats-bus';
import {
  CALL_LIMIT_MS,
  COMMON_SETTINGS,
  type ConsumerPlan,
  ensureConsumer,
  ensureStream,
  type StreamPlan,
} from '#shared/bus/stream-setup';

/* The streams that no work waits for. What they hold, Postgres has too. */

const DAY_MS = 86_400_000;

const DEAD: StreamPlan = {
  name: DEAD_STREAM,
  retention: RetentionPolicy.Limits,
  settings: {
    ...COMMON_SETTINGS,
    subjects: [DEAD_SUBJECTS],
    discard: DiscardPolicy.New,
    description: 'Sluice: steps that failed for good, to be looked at. Postgres has what can be redriven.',
  },
  limits: { max_msgs: 1_000_000, max_age: nanos(30 * DAY_MS) },
};

/** The only one that drops its oldest when it is full: what is lost is counted anew from the attempts. */
const TELEMETRY: StreamPlan = {
  name: TELEMETRY_STREAM,
  retention: RetentionPolicy.Limits,
  settings: {
    ...COMMON_SETTINGS,
    subjects: [TELEMETRY_SUBJECTS],
    discard: DiscardPolicy.Old,
    description: 'Sluice: attempts that have ended, counted by minute and step, for the metrics service.',
  },
  limits: { max_bytes: 256 * 1024 * 1024, max_age: nanos(7 * DAY_MS) },
};

const METRICS: ConsumerPlan = {
  stream: TELEMETRY_STREAM,
  name: TELEMETRY_CONSUMER,
  settings: {
    ack_wait: nanos(30_000),
    max_deliver: -1,
    description: 'Sluice: hands what services have counted to the metrics services, which share it.',
  },
};

/** Creates or updates the stream of dead letters alone. Throws as `ensureTopology` does. */
export async function ensureDeadStream(bus: NatsBus): Promise<void> {
  await explained(bus, DEAD_STREAM, (api) => ensureStream(api, DEAD));
}

/** Creates or updates the telemetry stream and its consumer alone. Throws as `ensureTopology` does. */
export async function ensureTelemetry(bus: NatsBus): Promise<void> {
  await explained(bus, TELEMETRY_STREAM, ensureTelemetryBy);
}

/** Creates or updates all of them, as far as can be. Never rejects: whoever uses them says what is wrong. */
export async function ensureSideStreams(api: JetStreamManager): Promise<void> {
  await Promise.allSettled([ensureStream(api, DEAD), ensureTelemetryBy(api)]);
}

async function ensureTelemetryBy(api: JetStreamManager): Promise<void> {
  await ensureConsumer(api, METRICS, await ensureStream(api, TELEMETRY));
}

async function explained(
  bus: NatsBus,
  stream: string,
  ensure: (api: JetStreamManager) => Promise<unknown>,
): Promise<void> {
  try {
    await ensure(await bus.jetStream(CALL_LIMIT_MS));
  } catch (error) {
    throw explain(error, `cannot prepare the stream ${stream}`, bus.serverHasJetStream);
  }
}
