import type { NatsBus } from '#shared/bus/nats-bus';
import { guardHolds } from '#shared/runtime/failpoints';

interface HeldEnd {
  readonly reply: string;
  readonly word: Uint8Array;
}

/**
 * Sends what ends a delivery, and holds it back while it is not known whose ears it reaches. A reply subject names a
 * message by its number alone, so an ack for a message of a store that was lost would end the message that has the
 * number in the new one. Hence: closed from each disconnect until the store was looked at; what belongs to another
 * store is dropped, and its message, if there is one, is delivered again.
 */
export class AckGate {
  private isOpen = false;
  private readonly held: HeldEnd[] = [];
  private current = 0;

  /** `maxHeld`: as many deliveries as there may be at once. */
  constructor(
    private readonly bus: NatsBus,
    private readonly maxHeld: number,
  ) {}

  /** The present store, for what is delivered now. */
  get store(): number {
    return this.current;
  }

  /** Sends what ends a delivery, now or when the gate opens. */
  end(reply: string, word: Uint8Array, store: number): void {
    if (store !== this.current) return;
    if (this.isOpen && this.bus.send(reply, word)) return;
    if (this.held.length < this.maxHeld) this.held.push({ reply, word });
  }

  /** Sends what only counts now. */
  tell(reply: string, word: Uint8Array, store: number): void {
    if (store === this.current && this.isOpen) this.bus.send(reply, word);
  }

  close(): void {
    this.isOpen = false;
  }

  open(): void {
    this.isOpen = true;
    for (const { reply, word } of this.held.splice(0)) this.end(reply, word, this.current);
  }

  /** The store is another one: nothing delivered so far can be ended any more. */
  forget(): void {
    if (!guardHolds('bus.acks_know_their_store')) return;
    this.current += 1;
    this.held.length = 0;
  }
}
