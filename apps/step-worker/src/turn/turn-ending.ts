import type { Delivery } from '#shared/bus/work-consumer';

/** How a turn's message ends. Decided by what was recorded; nothing else acks, naks or terminates. */
export type TurnEnding =
  /** All that the turn had to do is recorded, or somebody else sees to it. */
  | { readonly kind: 'done' }
  /** A back-off that the worker waits out itself; it keeps the message. */
  | { readonly kind: 'rest'; readonly delayMs: number }
  /** Come back later: a lease that must run out first, another copy at work, a database that is away. */
  | { readonly kind: 'later'; readonly delayMs: number }
  /** Handed back untouched, for any worker at once. */
  | { readonly kind: 'handed_back' }
  /** No turn at all: it can never be read. */
  | { readonly kind: 'garbage' };

/** A suspect that waits comes back soon, then less and less often. */
export const suspectDelayMs = (deliveryCount: number): number => Math.min(1_000, 25 * 2 ** Math.min(deliveryCount, 6));

/** Something failed that is not the step's fault, e.g. the database is away: redelivery tries again. */
export const troubleDelayMs = (deliveryCount: number): number =>
  Math.min(10_000, 250 * 2 ** Math.min(deliveryCount, 6));

export function endTurn(delivery: Delivery, ending: TurnEnding): void {
  switch (ending.kind) {
    case 'done':
      delivery.ack();
      return;
    case 'rest':
      // From now on it has a whole ack wait again, which is longer than any rest.
      delivery.working();
      delivery.forgetData();
      return;
    case 'later':
      delivery.nak(Math.max(1, Math.round(ending.delayMs)));
      return;
    case 'handed_back':
      delivery.nak();
      return;
    case 'garbage':
      delivery.term();
      return;
  }
}
