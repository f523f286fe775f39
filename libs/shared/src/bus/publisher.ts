import { createInbox, type Msg } from 'nats';
import { messageIdHeader } from '#shared/bus/message-id-header';
import type { BusSubscription, NatsBus, Unsubscribe } from '#shared/bus/nats-bus';
import { readPublishAck, type PublishOutcome } from '#shared/bus/publish-ack';

export type { PublishOutcome };

export interface PublisherOptions {
  /** How long a publish may take, from the call on; default 5,000. */
  readonly timeoutMs?: number;
  /** Publishes waiting for their acknowledgement at once; default 4,096. Sixteen times as many may wait to be sent. */
  readonly maxInFlight?: number;
}

interface Publish {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly msgId: string;
  readonly deadlineMs: number;
  readonly resolve: (outcome: PublishOutcome) => void;
}

const DEFAULT_TIMEOUT_MS = 5_000;
const DEFAULT_MAX_IN_FLIGHT = 4_096;
const WAITING_PER_IN_FLIGHT = 16;
/** Bytes of payload sent and not acknowledged: bounds what a connection that takes nothing keeps in memory. */
const MAX_IN_FLIGHT_BYTES = 16 * 1024 * 1024;
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const LOOK_EVERY_MS = 200;
const MAX_HEADER_BYTES = 512;
/** Why a payload is refused that can never be sent. */
export const TOO_LARGE = 'too large';
const IN_DOUBT: PublishOutcome = { kind: 'in_doubt' };
const refused = (reason: string): PublishOutcome => ({ kind: 'refused', reason });

/**
 * Publishes to streams, many at once, all acknowledged on one reply inbox: a request of its own for each message costs
 * six times as much. Every publish ends within its time limit, whatever becomes of the server.
 */
export class Publisher {
  /** How long a publish may take, from the call on. */
  readonly timeoutMs: number;
  private readonly maxInFlight: number;
  private readonly inbox = `${createInbox()}.`;
  private readonly replies: BusSubscription;
  private readonly forget: Unsubscribe;
  /** By the number that ends the reply subject; in the order of their deadlines, as all have the same limit. */
  private readonly inFlight = new Map<number, Publish>();
  private inFlightBytes = 0;
  private waiting: Publish[] = [];
  private waitingHead = 0;
  private waitingBytes = 0;
  private lastNumber = 0;
  private timer: NodeJS.Timeout | null = null;
  private draining = false;
  private whenIdle: (() => void) | null = null;

  constructor(
    private readonly bus: NatsBus,
    options: PublisherOptions = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    this.replies = bus.subscribe(`${this.inbox}*`, (message) => this.onReply(message));
    this.forget = bus.onDisconnect(() => this.abandon());
  }

  /** Never rejects. `msgId` is the `Nats-Msg-Id` by which the stream tells repeats; printable ASCII. */
  publish(subject: string, payload: string | Uint8Array, msgId: string): Promise<PublishOutcome> {
    return new Promise((resolve) => {
      if (this.draining) return resolve(refused('shutting down'));
      if (!this.bus.isConnected) return resolve(refused('not connected to NATS'));
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
      if (bytes.length + MAX_HEADER_BYTES > this.bus.maxPayloadBytes) return resolve(refused(TOO_LARGE));
      const publish = { subject, payload: bytes, msgId, deadlineMs: performance.now() + this.timeoutMs, resolve };
      if (this.hasRoom && this.waitingCount === 0) this.send(publish);
      else this.enqueue(publish);
    });
  }

  /** Waits until nothing is in flight; false when that takes longer. What is published later is refused. */
  async drain(timeoutMs: number): Promise<boolean> {
    this.draining = true;
    const idle = await new Promise<boolean>((resolve) => {
      if (this.isIdle) return resolve(true);
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.whenIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    if (!idle) this.abandon();
    this.forget();
    this.replies.unsubscribe();
    return idle;
  }

  private get waitingCount(): number {
    return this.waiting.length - this.waitingHead;
  }

  private get hasRoom(): boolean {
    return this.inFlight.size < this.maxInFlight && this.inFlightBytes < MAX_IN_FLIGHT_BYTES;
  }

  private get isIdle(): boolean {
    return this.inFlight.size === 0 && this.waitingCount === 0;
  }

  private send(publish: Publish): void {
    const number = ++this.lastNumber;
    const { subject, payload, msgId } = publish;
    if (!this.bus.send(subject, payload, this.inbox + number, messageIdHeader(msgId))) {
      return publish.resolve(refused('not connected to NATS'));
    }
    this.inFlight.set(number, publish);
    this.inFlightBytes += publish.payload.length;
    this.timer ??= setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  private enqueue(publish: Publish): void {
    const full =
      this.waitingCount >= this.maxInFlight * WAITING_PER_IN_FLIGHT || this.waitingBytes >= MAX_WAITING_BYTES;
    if (full) return publish.resolve(refused('too many publishes are waiting'));
    this.waiting.push(publish);
    this.waitingBytes += publish.payload.length;
  }

  private onReply(message: Msg): void {
    const number = Number(message.subject.slice(this.inbox.length));
    const publish = this.inFlight.get(number);
    if (!publish) return; // too late: it is in doubt already
    this.settle(number, publish, readPublishAck(message));
    this.sendWaiting();
  }

  private settle(number: number, publish: Publish, outcome: PublishOutcome): void {
    this.inFlight.delete(number);
    this.inFlightBytes -= publish.payload.length;
    publish.resolve(outcome);
    if (this.whenIdle && this.isIdle) this.whenIdle();
  }

  /** What comes too late is not sent: after a stop of the process replies are heard before any timer. */
  private sendWaiting(): void {
    if (this.waitingCount === 0) return;
    this.refuseLate(performance.now());
    while (this.waitingCount > 0 && this.hasRoom) this.send(this.takeWaiting());
  }

  private refuseLate(nowMs: number): void {
    while (this.waitingCount > 0 && (this.waiting[this.waitingHead] as Publish).deadlineMs <= nowMs) {
      this.takeWaiting().resolve(refused('NATS is too slow'));
    }
  }

  private takeWaiting(): Publish {
    const publish = this.waiting[this.waitingHead] as Publish;
    this.waitingHead += 1;
    this.waitingBytes -= publish.payload.length;
    if (this.waitingHead * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.waitingHead);
      this.waitingHead = 0;
    }
    return publish;
  }

  private look(): void {
    const nowMs = performance.now();
    for (const [number, publish] of this.inFlight) {
      if (publish.deadlineMs > nowMs) break;
      this.settle(number, publish, IN_DOUBT);
    }
    this.refuseLate(nowMs);
    this.sendWaiting();
    if (this.whenIdle && this.isIdle) this.whenIdle();
    if (this.isIdle && this.timer) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }

  /** Ends what cannot be ended by a reply any more. */
  private abandon(): void {
    while (this.waitingCount > 0) this.takeWaiting().resolve(refused('not connected to NATS'));
    for (const [number, publish] of this.inFlight) this.settle(number, publish, IN_DOUBT);
  }
}
