import { createInbox, type Msg } from 'nats';
import { PRIORITIES } from '#shared/domain/status';
import { AckGate } from '#shared/bus/ack-gate';
import { parseAckReply } from '#shared/bus/ack-reply';
import type { BusLog } from '#shared/bus/bus-log';
import { LiveDelivery, type Delivery } from '#shared/bus/delivery';
import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';
import { TICK_MS } from '#shared/bus/pull-channel';
import { PullPlanner } from '#shared/bus/pull-planner';
import type { PullStatus } from '#shared/bus/pull-status';
import { StoreKeeper } from '#shared/bus/store-keeper';
import { WorkLane } from '#shared/bus/work-lane';

export type { Delivery };

export interface WorkConsumerOptions {
  readonly queues: readonly string[];
  /** Deliveries that the owner takes at once. */
  readonly slots: number;
  /** Sees to it that the stream and its consumers are there; called after each connect and when one is missing. */
  readonly ensure: () => Promise<void>;
  /** Takes a slot until `release`. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** The store is another one: what came from earlier ones can be answered no more. The first has the number 0. */
  readonly onStore?: (store: number) => void;
  readonly log: BusLog;
}

/** Queues and priorities that are named to whoever asks what is wrong. */
const MAX_NAMES = 3;

/**
 * Pulls work into free slots.
 *
 * Invariant: deliveries in slots are never more than `slots`; no more messages are asked for than there are slots free. A
 * message that finds no room (its request had been given up, or a delivery that had rested took the slot) is handed back.
 *
 * What becomes free in one turn of the event loop is asked for in one request. `PullPlanner` decides what is asked of
 * which queue and priority, `StoreKeeper` brings back what is missing.
 */
export class WorkConsumer {
  private readonly lanes: readonly WorkLane[];
  private readonly planner: PullPlanner;
  private readonly gate: AckGate;
  private readonly store: StoreKeeper;
  private readonly forget: Unsubscribe[] = [];
  private state: 'idle' | 'pulling' | 'stopped' = 'idle';
  private stopped: Promise<void> | null = null;
  private isReady = false;
  /** Ticks, not time, as in `PullChannel`. */
  private unreadyTicks = Infinity;
  private busy = 0;
  private readonly resuming: { readonly delivery: LiveDelivery; readonly resolve: (resumed: boolean) => void }[] = [];
  private refillIsDue = false;
  private ticker: NodeJS.Timeout | null = null;

  constructor(
    private readonly bus: NatsBus,
    private readonly options: WorkConsumerOptions,
  ) {
    const inbox = createInbox();
    const lanes = options.queues.flatMap((queue) => PRIORITIES.map((priority) => ({ queue, priority })));
    const events = {
      onMessage: (lane: WorkLane, message: Msg, asked: boolean) => this.onMessage(lane, message, asked),
      onEnd: (status: PullStatus) => this.onPullEnd(status),
      onRefusal: ({ queue, priority }: WorkLane, reason: string) =>
        options.log.warn(`NATS hands out nothing of ${queue}/${priority} for now: ${reason}`),
    };
    this.lanes = lanes.map(({ queue, priority }, i) => new WorkLane(bus, `${inbox}.${i}`, queue, priority, events));
    this.planner = new PullPlanner(
      options.slots,
      lanes.map(({ priority }) => priority),
    );
    this.gate = new AckGate(bus, options.slots);
    this.store = new StoreKeeper(bus, options.ensure, options.log, {
      onReady: () => this.onReady(),
      onOtherStore: () => {
        this.gate.forget();
        options.onStore?.(this.gate.store);
      },
    });
  }

  /** Slots that a delivery is in. */
  get busySlots(): number {
    return this.busy;
  }

  /** Why no work, or not all of it, could be pulled for so long; null: it can be. Says nothing of free slots. */
  whyNotPulling(forMs: number): string | null {
    if (this.state !== 'pulling') return 'not pulling';
    if (this.unreadyTicks * TICK_MS > forMs) return 'the work queue is not there';
    const stuck = this.lanes.filter((lane) => lane.isStuck(forMs));
    if (stuck.length === 0) return null;
    const names = stuck.slice(0, MAX_NAMES).map(({ queue, priority }) => `${queue}/${priority}`);
    return `nothing can be pulled of ${names.join(', ')}${stuck.length > MAX_NAMES ? ' and others' : ''}`;
  }

  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'pulling';
    for (const lane of this.lanes) lane.open();
    this.forget.push(
      this.bus.beforeFlush(() => this.refill()),
      this.bus.onDisconnect(() => this.onDisconnect()),
      this.bus.onConnect(() => this.store.check()),
    );
    this.ticker = setInterval(() => this.tick(), TICK_MS);
    if (this.bus.isConnected) this.store.check();
  }

  /** Stops asking at once; what still arrives is handed back at once. Resolved when nothing more can arrive. */
  stop(): Promise<void> {
    this.stopped ??= this.end();
    return this.stopped;
  }

  /** Lets go of the bus. To be called last, when every delivery was ended: later ends are lost. */
  close(): void {
    this.store.close();
    for (const forget of this.forget.splice(0)) forget();
  }

  /** The delivery's slot is free again. To be called when its owner is done with it; a second call does nothing. */
  release(delivery: Delivery): void {
    if (!(delivery instanceof LiveDelivery) || delivery.released) return;
    delivery.released = true;
    this.busy -= 1;
    (delivery.source as WorkLane).busy -= 1;
    this.resumeNext();
    this.refillSoon();
  }

  /**
   * Takes a slot again for a delivery that was released and not ended; waits while all are taken, before anything new.
   * Resolves false when nothing is taken any more.
   */
  resume(delivery: Delivery): Promise<boolean> {
    if (!(delivery instanceof LiveDelivery) || !delivery.released || this.state === 'stopped') {
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      this.resuming.push({ delivery, resolve });
      this.resumeNext();
    });
  }

  private resumeNext(): void {
    while (this.busy < this.options.slots) {
      const next = this.resuming.shift();
      if (!next) return;
      next.delivery.released = false;
      this.busy += 1;
      (next.delivery.source as WorkLane).busy += 1;
      next.resolve(true);
    }
  }

  private async end(): Promise<void> {
    this.state = 'stopped';
    if (this.ticker) clearInterval(this.ticker);
    for (const { resolve } of this.resuming.splice(0)) resolve(false);
    await Promise.all(this.lanes.map((lane) => lane.close()));
  }

  private get free(): number {
    let free = this.options.slots - this.busy;
    for (const lane of this.lanes) free -= lane.asked;
    return free;
  }

  private refillSoon(): void {
    this.refillIsDue = true;
    this.bus.flushSoon();
  }

  /** Sent with the acks that made room: one write for both. */
  private refill(): void {
    if (!this.refillIsDue || this.state !== 'pulling' || !this.isReady) return;
    this.refillIsDue = false;
    for (const pull of this.planner.plan(this.free, this.lanes)) this.lanes[pull.lane]?.pull(pull);
  }

  private onMessage(lane: WorkLane, message: Msg, asked: boolean): void {
    const { reply = '' } = message;
    const said = parseAckReply(reply);
    if (!said) return; // nobody but us knows the inbox: not a delivery, not ours to end
    const delivery = new LiveDelivery(this.gate, lane, message.data, reply, said);
    this.store.saw(said.streamSeq);
    const hasRoom = this.busy < this.options.slots && (asked || this.free > 0);
    if (this.state !== 'pulling' || !hasRoom) return delivery.nak();
    lane.learn(said.pending);
    lane.busy += 1;
    this.busy += 1;
    if (lane.asked === 0 || lane.backlog > 0) this.refillSoon();
    this.options.onDelivery(delivery);
  }

  private onPullEnd(status: PullStatus): void {
    if (this.state !== 'pulling') return;
    if (status.kind === 'missing' || status.kind === 'lost') this.store.check();
    this.refillSoon();
  }

  private onReady(): void {
    this.isReady = true;
    this.unreadyTicks = 0;
    this.gate.open();
    for (const lane of this.lanes) lane.revive();
    this.refillSoon();
  }

  private onDisconnect(): void {
    this.isReady = false;
    this.gate.close();
    for (const lane of this.lanes) lane.reset();
  }

  private tick(): void {
    this.unreadyTicks = this.isReady ? 0 : this.unreadyTicks + 1;
    for (const lane of this.lanes) lane.tick();
    this.refillSoon();
  }
}
