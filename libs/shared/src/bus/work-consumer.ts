import type { Priority } from '#shared/domain/status';
import type { BusLog } from '#shared/bus/bus-log';
import type { NatsBus } from '#shared/bus/nats-bus';

/** A message handed out. Exactly one of `ack`, `nak`, `term` ends it; all are fire and forget and never throw. */
export interface Delivery {
  readonly queue: string;
  readonly priority: Priority;
  readonly data: Uint8Array;
  /** The data as UTF-8. */
  text(): string;
  /** 1 for the first. */
  readonly deliveryCount: number;
  readonly streamSeq: number;
  ack(): void;
  /** Asks for another delivery, at once or after the delay. */
  nak(delayMs?: number): void;
  /** Holds off redelivery for another `ack_wait`. */
  working(): void;
  /** Never to be delivered again. */
  term(): void;
}

export interface WorkConsumerOptions {
  readonly queues: readonly string[];
  /** Deliveries that the owner takes at once. */
  readonly slots: number;
  /** Brings back the stream and its consumers; called when one is missing. */
  readonly ensure: () => Promise<void>;
  /** Takes a slot until `release`. May not throw. */
  readonly onDelivery: (delivery: Delivery) => void;
  readonly log: BusLog;
}

export declare class WorkConsumer {
  constructor(bus: NatsBus, options: WorkConsumerOptions);
  start(): void;
  /** Stops asking at once; what still arrives is handed back at once. Resolved when nothing more can arrive. */
  stop(): Promise<void>;
  /** The delivery's slot is free again. To be called when its owner is done with it; a second call does nothing. */
  release(delivery: Delivery): void;
}
