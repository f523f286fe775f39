import type { Priority } from '#shared/domain/status';
import type { AckGate } from '#shared/bus/ack-gate';
import type { AckReply } from '#shared/bus/ack-reply';

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
  /** Lets go of the data, for a delivery that is to be kept for long. */
  forgetData(): void;
  /** The subject that it is answered at. */
  readonly reply: string;
  /** Which store it came from: its answers reach that one's messages alone. See `WorkConsumerOptions.onStore`. */
  readonly store: number;
  ack(): void;
  /** Asks for another delivery, at once or after the delay. */
  nak(delayMs?: number): void;
  /** Holds off redelivery for another `ack_wait`. */
  working(): void;
  /** Never to be delivered again. */
  term(): void;
}

const ACK = Buffer.from('+ACK');
const NAK = Buffer.from('-NAK');
const WORKING = Buffer.from('+WPI');
const TERM = Buffer.from('+TERM');
const NO_DATA = new Uint8Array();
const NANOS_PER_MS = 1_000_000;

/** Where a delivery came from: the consumer of one queue and priority. */
export interface DeliverySource {
  readonly queue: string;
  readonly priority: Priority;
}

/** A delivery on its reply subject. Ends once; what comes after the end is ignored. */
export class LiveDelivery implements Delivery {
  readonly queue: string;
  readonly priority: Priority;
  readonly deliveryCount: number;
  readonly streamSeq: number;
  readonly store: number;
  /** Whether its slot was given back. */
  released = false;
  private ended = false;

  constructor(
    private readonly gate: AckGate,
    readonly source: DeliverySource,
    public data: Uint8Array,
    readonly reply: string,
    said: AckReply,
  ) {
    this.store = gate.store;
    this.queue = source.queue;
    this.priority = source.priority;
    this.deliveryCount = said.deliveryCount;
    this.streamSeq = said.streamSeq;
  }

  text(): string {
    const { buffer, byteOffset, byteLength } = this.data;
    return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
  }

  /** The data are a part of what was read from the socket, which is much larger. */
  forgetData(): void {
    this.data = NO_DATA;
  }

  ack(): void {
    this.end(ACK);
  }

  nak(delayMs = 0): void {
    const nanos = Math.round(delayMs * NANOS_PER_MS);
    this.end(nanos > 0 ? Buffer.from(`-NAK {"delay": ${nanos}}`) : NAK);
  }

  working(): void {
    if (!this.ended) this.gate.tell(this.reply, WORKING, this.store);
  }

  term(): void {
    this.end(TERM);
  }

  private end(word: Uint8Array): void {
    if (this.ended) return;
    this.ended = true;
    this.gate.end(this.reply, word, this.store);
  }
}
