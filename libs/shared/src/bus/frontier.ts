import type { Priority } from '#shared/domain/status';
import type { NatsBus } from '#shared/bus/nats-bus';

export type Frontier =
  /** Nothing of the subject waits for its first delivery. */
  | { readonly kind: 'empty' }
  /** The first message not yet delivered. */
  | { readonly kind: 'message'; readonly data: Uint8Array; readonly seq: number }
  /** No answer, or the stream or consumer is missing: conclude nothing from it. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Never rejects. */
export declare function readFrontier(bus: NatsBus, queue: string, priority: Priority): Promise<Frontier>;

/** Removes messages that were acknowledged and yet stayed in the stream. Gives how many; 0 too when nobody answers. */
export declare function purgeAcknowledgedOrphans(bus: NatsBus, queue: string, priority: Priority): Promise<number>;
