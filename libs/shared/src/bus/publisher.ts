import type { NatsBus } from '#shared/bus/nats-bus';

export type PublishOutcome =
  | { readonly kind: 'stored'; readonly seq: number; readonly duplicate: boolean }
  /** It may have been stored or not: repeat with the same id, or leave it to the sweep. */
  | { readonly kind: 'in_doubt' }
  /** It was certainly not stored. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface PublisherOptions {
  /** How long an acknowledgement may take; default 5,000. */
  readonly timeoutMs?: number;
  /** Publishes waiting for their acknowledgement at once; default 4,096. As many again may wait to be sent ×16. */
  readonly maxInFlight?: number;
}

export declare class Publisher {
  constructor(bus: NatsBus, options?: PublisherOptions);
  /** Never rejects. `msgId` is the `Nats-Msg-Id` by which the stream tells repeats. */
  publish(subject: string, payload: string | Uint8Array, msgId: string): Promise<PublishOutcome>;
  /** Waits until nothing is in flight; false when that takes longer. What comes later is refused. */
  drain(timeoutMs: number): Promise<boolean>;
}
