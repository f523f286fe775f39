import type { NatsBus } from '#shared/bus/nats-bus';

export interface TopologyOptions {
  readonly queues: readonly string[];
  /** How long a delivered message may stay unacknowledged before it is delivered again. */
  readonly ackWaitMs: number;
}

/** Creates or updates the work stream and its consumers. Idempotent, safe at once from many services, never deletes. */
export declare function ensureTopology(bus: NatsBus, options: TopologyOptions): Promise<void>;
