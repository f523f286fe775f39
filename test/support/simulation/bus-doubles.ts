import type { PublishOutcome } from '#shared/bus/publisher';
import type { Delivery, WorkConsumerOptions } from '#shared/bus/work-consumer';
import { CANCEL_BROADCAST } from '#shared/contracts/subjects';
import { guards } from './guards';
import type { Handed, Puller } from './sim-jetstream';
import type { Surroundings } from './surroundings';
import type { SimProcess } from './virtual-time';

/** A process's connection to NATS. In the place of a NatsBus. */
export class SimBus {
  constructor(
    readonly world: Surroundings,
    readonly process: SimProcess,
  ) {}

  readonly isConnected = true;
  readonly isStalled = false;

  onConnect(): () => void {
    return () => undefined;
  }

  /** For the sweep's looks at the stream. */
  async jetStream(): Promise<object> {
    const { jetStream } = this.world;
    return {
      consumers: { info: (_: string, name: string) => this.ask(() => jetStream.consumerInfo(name)) },
      streams: {
        getMessage: (_: string, query: { seq: number; next_by_subj: string }) =>
          this.ask(() => jetStream.messageFrom(query.seq, query.next_by_subj)),
        info: () => this.ask(() => ({ state: { last_seq: jetStream.lastSeq } })),
        deleteMessage: (_: string, seq: number) => this.ask(() => jetStream.remove(seq)),
      },
    };
  }

  private ask<T>(question: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.world.time.after(this.world.busLatencyMs(), this.process, () => {
        try {
          resolve(question());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }
}

/** In the place of Publisher. */
export class SimPublisher {
  readonly timeoutMs: number;

  constructor(
    private readonly bus: SimBus,
    options: { readonly timeoutMs?: number } = {},
  ) {
    this.timeoutMs = options.timeoutMs ?? 5_000;
  }

  publish(subject: string, payload: string, msgId: string): Promise<PublishOutcome> {
    const { world, process } = this.bus;
    return new Promise((resolve) => {
      world.point('publish', { process });
      // Whether it has to be read was decided in the same breath: stopped, it is on its way already.
      if (process.state !== 'dead') this.send({ subject, payload, msgId }, resolve);
    });
  }

  private send(
    { subject, payload, msgId }: { subject: string; payload: string; msgId: string },
    resolve: (outcome: PublishOutcome) => void,
  ): void {
    const { world, process } = this.bus;
    const isLost = world.takeFlag(process, 'lose-publish');
    const isInDoubt = world.takeFlag(process, 'doubt-publish') || isLost;
    if (isInDoubt) world.time.after(this.timeoutMs, process, () => resolve({ kind: 'in_doubt' }));
    world.time.after(world.busLatencyMs(), null, () => {
      if (isLost) return;
      const { seq, duplicate } = world.jetStream.publish(subject, Buffer.from(payload), msgId);
      if (!duplicate) world.point('stored', { seq });
      if (isInDoubt) return;
      world.time.after(world.busLatencyMs(), process, () => resolve({ kind: 'stored', seq, duplicate }));
    });
  }

  async drain(): Promise<boolean> {
    return true;
  }
}

/** In the place of JetStreamPullStrategy: a worker's slots. */
export class SimStrategy implements Puller {
  readonly queues: readonly string[];
  busy = 0;
  /** Handed out and on its way. */
  private coming = 0;
  private isPulling = false;
  private readonly resuming: ((resumed: boolean) => void)[] = [];

  constructor(
    readonly bus: SimBus,
    private readonly options: WorkConsumerOptions,
  ) {
    this.queues = options.queues;
    bus.world.slots.set(bus.process, this);
  }

  get asked(): number {
    return this.isPulling ? Math.max(0, this.options.slots - this.busy - this.coming) : 0;
  }

  listen(callback: () => void): void {
    this.isPulling = true;
    const { jetStream } = this.bus.world;
    jetStream.pullers.add(this);
    jetStream.pumpSoon();
    callback();
  }

  async close(): Promise<void> {
    this.isPulling = false;
    for (const resolve of this.resuming.splice(0)) resolve(false);
    this.bus.world.jetStream.pullers.delete(this);
  }

  release(): void {
    this.busy -= 1;
    this.resumeNext();
    this.bus.world.jetStream.pumpSoon();
  }

  /** For a delivery that rested: before anything new. */
  resume(): Promise<boolean> {
    if (!this.isPulling) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.resuming.push(resolve);
      this.resumeNext();
    });
  }

  private resumeNext(): void {
    while (this.busy < this.options.slots) {
      const next = this.resuming.shift();
      if (!next) return;
      this.busy += 1;
      next(true);
    }
  }

  hand(handed: Handed): void {
    const { world, process } = this.bus;
    this.coming += 1;
    world.time.after(world.busLatencyMs(), process, () => {
      this.coming -= 1;
      const delivery = new SimDelivery(this.bus, handed);
      if (!this.isPulling || this.busy >= this.options.slots) return delivery.nak();
      this.busy += 1;
      world.point('delivered', { process, message: handed.message, jobId: handed.message.work.job_id });
      world.time.go(process, () => this.options.onDelivery(delivery));
    });
  }
}

export class SimDelivery implements Delivery {
  readonly queue: string;
  readonly priority: Delivery['priority'];
  data: Uint8Array;
  readonly reply = '';
  readonly store: number;
  readonly deliveryCount: number;
  readonly streamSeq: number;
  /** How often its worker had been stopped when it came. */
  readonly stops: number;
  private ended = false;

  constructor(
    private readonly bus: SimBus,
    readonly handed: Handed,
  ) {
    const { message, count } = handed;
    this.queue = message.lane.queue;
    this.priority = message.lane.priority;
    this.data = message.data;
    this.deliveryCount = guards.deliveryCount(count);
    this.streamSeq = message.seq;
    this.store = handed.store;
    this.stops = bus.process.stops;
  }

  text(): string {
    return Buffer.from(this.data).toString();
  }

  forgetData(): void {
    this.data = new Uint8Array();
  }

  ack(): void {
    this.end((jetStream) => jetStream.ack(this.handed.store, this.handed.message));
  }

  nak(delayMs = 0): void {
    this.end((jetStream) => jetStream.nak(this.handed.store, this.handed.message, delayMs));
  }

  term(): void {
    this.ack();
  }

  working(): void {
    if (!this.ended && !this.bus.world.isDeafTo(this.bus.process))
      this.send((jetStream) => jetStream.working(this.handed.store, this.handed.message));
  }

  private end(word: (jetStream: Surroundings['jetStream']) => void): void {
    if (this.ended) return;
    this.ended = true;
    const { world, process } = this.bus;
    world.point('ending', { process, message: this.handed.message, jobId: this.handed.message.work.job_id });
    if (!world.takeFlag(process, 'lose-ack')) this.send(word);
  }

  private send(word: (jetStream: Surroundings['jetStream']) => void): void {
    const { world, process } = this.bus;
    // Stopped, it sends when it is resumed; dead, never.
    world.time.go(process, () => {
      world.time.after(world.busLatencyMs(), null, () => {
        word(world.jetStream);
        world.jetStream.pumpSoon();
      });
    });
  }
}

/** Core NATS: whoever listens hears of it, unless the word is lost. */
export function notify(bus: SimBus, subject: string, payload = ''): boolean {
  const { world, process } = bus;
  if (subject === CANCEL_BROADCAST && world.losesWord()) return true;
  world.time.go(process, () => {
    for (const { listener, handler } of world.listeners.get(subject) ?? []) {
      world.time.after(world.busLatencyMs(), listener, () => handler(payload));
    }
  });
  return true;
}

export function listen(bus: SimBus, subject: string, handler: (payload: string) => void): () => void {
  const { world, process } = bus;
  const all = world.listeners.get(subject) ?? new Set();
  world.listeners.set(subject, all);
  const entry = { listener: process, handler };
  all.add(entry);
  return () => all.delete(entry);
}
