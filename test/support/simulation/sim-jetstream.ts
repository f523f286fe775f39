import { NatsError } from 'nats';
import { workMessage, type WorkMessage } from '#shared/contracts/work-message';
import { workSubject } from '#shared/contracts/subjects';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import type { Choices } from './choices';
import { guards } from './guards';
import type { VirtualTime } from './virtual-time';

export interface SimMessage {
  readonly seq: number;
  readonly msgId: string;
  readonly data: Uint8Array;
  readonly work: WorkMessage;
  readonly lane: Lane;
  /** A fault has let it be delivered when it should not: what follows from that is not the protocol's doing. */
  excused: boolean;
}

interface Pending {
  readonly message: SimMessage;
  deliveries: number;
  /** When it is delivered again unless it is acknowledged: its `ack_wait`, or the delay of a nak. */
  againAtMs: number;
}

/** A subject and its consumer. */
export interface Lane {
  readonly queue: string;
  readonly priority: Priority;
  readonly subject: string;
  /** `delivered.stream_seq`. */
  delivered: number;
  readonly pending: Map<number, Pending>;
}

/** One store: lost as a whole, with its numbers. */
interface Store {
  readonly number: number;
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly messages: Map<number, SimMessage>;
  readonly ids: Map<string, { readonly seq: number; readonly atMs: number }>;
  lastSeq: number;
  acked: { readonly message: SimMessage; readonly deliveries: number; readonly atMs: number }[];
}

/** What a consumer hands out: which message, of which store, for the how-manieth time. */
export interface Handed {
  readonly message: SimMessage;
  readonly store: number;
  readonly count: number;
}

/** Who pulls. */
export interface Puller {
  readonly queues: readonly string[];
  /** How many messages it has asked for. */
  readonly asked: number;
  hand(handed: Handed): void;
}

export const QUEUES = ['default', 'other'] as const;
const DUPLICATE_WINDOW_MS = 120_000;
/** Acknowledgements this young may not have been written when the server is killed. */
const UNWRITTEN_MS = 1_000;

/**
 * JetStream as far as it matters: a work queue with a consumer for each subject, explicit acknowledgements, `ack_wait`,
 * naks, delivery counts, redelivered before new, ids of messages known for a while, and all that it may lose.
 */
export class SimJetStream {
  readonly pullers = new Set<Puller>();
  private store: Store;

  constructor(
    private readonly time: VirtualTime,
    private readonly choices: Choices,
    private readonly ackWaitMs: number,
  ) {
    this.store = this.newStore(1);
  }

  /** All that is stored, orphans too. */
  get size(): number {
    return this.store.messages.size;
  }

  /** Stores a message unless its id is known. */
  publish(subject: string, data: Uint8Array, msgId: string): { seq: number; duplicate: boolean } {
    const { store } = this;
    const known = store.ids.get(msgId);
    if (known && known.atMs > this.time.nowMs - DUPLICATE_WINDOW_MS) return { seq: known.seq, duplicate: true };
    const lane = store.lanes.get(subject);
    if (!lane) throw new Error(`no stream takes ${subject}`);
    store.lastSeq += 1;
    const seq = store.lastSeq;
    const work = workMessage.parse(JSON.parse(Buffer.from(data).toString()));
    store.messages.set(seq, { seq, msgId, data, work, lane, excused: false });
    store.ids.set(msgId, { seq, atMs: this.time.nowMs });
    this.pumpSoon();
    return { seq, duplicate: false };
  }

  ack(storeNumber: number, { seq, lane }: SimMessage): void {
    if (storeNumber !== this.store.number) return;
    const pending = lane.pending.get(seq);
    if (!pending) return;
    lane.pending.delete(seq);
    this.store.messages.delete(seq);
    this.store.acked.push({ message: pending.message, deliveries: pending.deliveries, atMs: this.time.nowMs });
  }

  nak(storeNumber: number, { seq, lane }: SimMessage, delayMs: number): void {
    const pending = storeNumber === this.store.number ? lane.pending.get(seq) : undefined;
    if (pending) this.again(pending, delayMs);
  }

  working(storeNumber: number, { seq, lane }: SimMessage): void {
    const pending = storeNumber === this.store.number ? lane.pending.get(seq) : undefined;
    if (pending) pending.againAtMs = this.time.nowMs + this.ackWaitMs;
  }

  /** Hands out what it can, after what is under way just now. */
  pumpSoon(): void {
    this.time.after(0, null, () => this.pump());
  }

  private pump(): void {
    for (;;) {
      const lanes = [...this.store.lanes.values()].filter((lane) => this.nextOf(lane) !== null);
      const pairs = lanes.flatMap((lane) =>
        [...this.pullers]
          .filter((puller) => puller.asked > 0 && puller.queues.includes(lane.queue))
          .map((puller) => ({ lane, puller })),
      );
      const chosen = this.choices.pick(pairs);
      if (!chosen) return;
      this.deliver(chosen.lane, chosen.puller);
    }
  }

  private deliver(lane: Lane, puller: Puller): void {
    const pending = this.nextOf(lane);
    if (!pending) return;
    pending.deliveries += 1;
    lane.delivered = Math.max(lane.delivered, pending.message.seq);
    lane.pending.set(pending.message.seq, pending);
    this.again(pending, this.ackWaitMs);
    puller.hand({ message: pending.message, store: this.store.number, count: pending.deliveries });
  }

  /** What is due again comes before what is new. */
  private nextOf(lane: Lane): Pending | null {
    for (const pending of lane.pending.values()) if (pending.againAtMs <= this.time.nowMs) return pending;
    for (const message of this.store.messages.values()) {
      if (message.lane === lane && message.seq > lane.delivered) return { message, deliveries: 0, againAtMs: 0 };
    }
    return null;
  }

  private again(pending: Pending, delayMs: number): void {
    pending.againAtMs = this.time.nowMs + delayMs;
    const { lane, seq } = pending.message;
    const look = (): void => {
      if (lane.pending.get(seq) !== pending) return;
      const restMs = pending.againAtMs - this.time.nowMs;
      if (restMs <= 0) this.pump();
      else this.time.after(restMs, null, look);
    };
    this.time.after(delayMs, null, look);
  }

  // Faults.

  /** The newest message, or one that is waiting or out: any. */
  anyMessage(): SimMessage | undefined {
    return this.choices.pick([...this.store.messages.values()]);
  }

  find(seq: number | undefined): SimMessage | undefined {
    return seq === undefined ? undefined : this.store.messages.get(seq);
  }

  /** It is gone, though nobody has acknowledged it. */
  lose({ seq, lane }: SimMessage): void {
    this.store.messages.delete(seq);
    lane.pending.delete(seq);
  }

  /** The consumer takes it for acknowledged; it stays in the stream for good. */
  orphan({ seq, lane }: SimMessage): void {
    if (!this.store.messages.has(seq)) return;
    lane.pending.delete(seq);
    lane.delivered = Math.max(lane.delivered, seq);
  }

  /** The consumer has forgotten that it handed it out: it comes anew, for the first time. */
  anew(message: SimMessage): void {
    if (!this.store.messages.has(message.seq)) return;
    message.excused = true;
    const pending = { message, deliveries: 0, againAtMs: this.time.nowMs };
    message.lane.pending.set(message.seq, pending);
    this.pumpSoon();
  }

  /** `ack_wait` runs out too soon. */
  early(message: SimMessage): void {
    const pending = message.lane.pending.get(message.seq);
    if (!pending) return;
    message.excused = true;
    this.again(pending, 0);
  }

  /** The server is killed and started again: young acknowledgements are lost, and ids of what was acknowledged. */
  restart(): void {
    const { store } = this;
    for (const { message, deliveries, atMs } of store.acked) {
      if (atMs < this.time.nowMs - UNWRITTEN_MS) continue;
      const becomes = this.choices.below(4);
      if (becomes === 0) continue;
      store.messages.set(message.seq, message);
      if (becomes === 1) this.orphan(message);
      else if (becomes === 2) this.anew(message);
      else {
        const pending = { message, deliveries, againAtMs: 0 };
        message.lane.pending.set(message.seq, pending);
        this.again(pending, this.choices.below(this.ackWaitMs));
      }
    }
    store.acked = [];
    for (const id of [...store.ids.keys()]) if (!this.has(id)) store.ids.delete(id);
    this.pumpSoon();
  }

  /** All is gone; stream and consumers are made anew. */
  wipe(): void {
    this.store = this.newStore(this.store.number + 1);
  }

  private has(msgId: string): boolean {
    for (const message of this.store.messages.values()) if (message.msgId === msgId) return true;
    return false;
  }

  private newStore(number: number): Store {
    const lanes = QUEUES.flatMap((queue) =>
      PRIORITIES.map((priority): [string, Lane] => {
        const subject = workSubject(queue, priority);
        return [subject, { queue, priority, subject, delivered: 0, pending: new Map() }];
      }),
    );
    return { number, lanes: new Map(lanes), messages: new Map(), ids: new Map(), lastSeq: 0, acked: [] };
  }

  // What the sweep asks.

  /** `consumers.info` of a consumer's name. */
  consumerInfo(name: string): object {
    const [, queue, priority] = /^work_(.+)_([a-z]+)$/.exec(name) ?? [];
    const lane = [...this.store.lanes.values()].find((each) => each.queue === queue && each.priority === priority);
    if (!lane) throw new Error(`no consumer ${name}`);
    const lowest = Math.min(...lane.pending.keys(), lane.delivered + 1);
    const floor = lowest - 1;
    return guards.consumerInfo({
      delivered: { stream_seq: lane.delivered },
      ack_floor: { stream_seq: floor },
      created: `store ${this.store.number}`,
    });
  }

  /** The first message of the subject from the number on. @throws as the server does when there is none */
  messageFrom(seq: number, subject: string): { seq: number; data: Uint8Array } {
    const found = [...this.store.messages.values()]
      .filter((message) => message.lane.subject === subject && message.seq >= seq)
      .sort((a, b) => a.seq - b.seq)[0];
    if (found) return { seq: found.seq, data: found.data };
    const error = new NatsError('no message found', '404');
    error.api_error = { code: 404, err_code: 10_037, description: 'no message found' };
    throw error;
  }

  get lastSeq(): number {
    return this.store.lastSeq;
  }

  remove(seq: number): boolean {
    const message = this.store.messages.get(seq);
    if (message) this.lose(message);
    return message !== undefined;
  }
}
