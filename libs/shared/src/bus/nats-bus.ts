import type { JetStreamManager, Msg, MsgHdrs, NatsConnection, Subscription } from 'nats';
import type { BusLog } from '#shared/bus/bus-log';
import { ConnectionKeeper, words } from '#shared/bus/connection-keeper';
import { Outbox } from '#shared/bus/outbox';

export interface BusOptions {
  /** `nats://host:port`; several separated by commas. */
  readonly url: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  readonly log: BusLog;
}

/** Ends what it was given for: a listener, a subscription. Safe to call twice. */
export type Unsubscribe = () => void;

/** There is no connection now. */
export class NotConnectedError extends Error {
  constructor() {
    super('not connected to NATS');
  }
}

/** A subscription that outlives its connection: it is made again on each new one. */
export interface BusSubscription {
  unsubscribe(): void;
  /**
   * Unsubscribes, and resolves once the server has done so and all that it had sent has been handled, or the time is
   * over.
   */
  drain(timeoutMs: number): Promise<void>;
}

interface Subscribed {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: (message: Msg) => void;
  live: Subscription | null;
}

/** A process's connection to NATS. All else in this folder works through it. */
export class NatsBus {
  private connection: NatsConnection | null = null;
  private readonly keeper: ConnectionKeeper;
  private readonly log: BusLog;
  private readonly subscriptions = new Set<Subscribed>();
  private readonly connectListeners = new Set<() => void>();
  private readonly disconnectListeners = new Set<() => void>();
  private readonly outbox = new Outbox((error) => this.complain('a message to be sent', error));
  private closed = false;
  private complainedAtMs = -Infinity;

  /** Returns at once and connects in the background, for ever. Throws when the URL is none. */
  static open(options: BusOptions): NatsBus {
    return new NatsBus(options);
  }

  /** Like `open`, resolved with the first connection. */
  static async connect(options: BusOptions): Promise<NatsBus> {
    const bus = new NatsBus(options);
    await new Promise<void>((resolve) => bus.onConnect(resolve));
    return bus;
  }

  private constructor({ url, name, log }: BusOptions) {
    this.log = log;
    this.keeper = new ConnectionKeeper(url, name, log, {
      up: (connection) => this.up(connection),
      down: () => this.down(),
    });
  }

  get isConnected(): boolean {
    return this.connection !== null;
  }

  /** Connected, and yet nothing comes back: what can be dropped should be. */
  get isStalled(): boolean {
    return this.keeper.isStalled;
  }

  /** Whether the server we are connected to has JetStream turned on; true while there is none. */
  get serverHasJetStream(): boolean {
    return this.connection === null || this.connection.info?.jetstream === true;
  }

  /** Resolves true once connected, false when that takes longer or the bus is closed. */
  async whenConnected(timeoutMs: number): Promise<boolean> {
    if (this.isConnected || this.closed) return this.isConnected;
    return new Promise((resolve) => {
      const end = (connected: boolean): void => {
        clearTimeout(timer);
        forget();
        resolve(connected);
      };
      const timer = setTimeout(() => end(false), timeoutMs);
      const forget = this.onConnect(() => end(true));
    });
  }

  /** Called after each connect from now on, the first included, once subscriptions are in place. */
  onConnect(listener: () => void): Unsubscribe {
    this.connectListeners.add(listener);
    return () => this.connectListeners.delete(listener);
  }

  /** Called each time that the connection is lost or closed. */
  onDisconnect(listener: () => void): Unsubscribe {
    this.disconnectListeners.add(listener);
    return () => this.disconnectListeners.delete(listener);
  }

  /** The round trip in milliseconds; rejects when it takes longer than the limit or there is no connection. */
  async ping(timeoutMs: number): Promise<number> {
    const connection = this.require();
    this.outbox.flush();
    const startedAtMs = performance.now();
    await withinLimit(connection.flush(), timeoutMs);
    return performance.now() - startedAtMs;
  }

  /** Flushes what is under way, for at most `timeoutMs`, and closes for good. */
  async close(timeoutMs: number): Promise<void> {
    this.closed = true;
    const { connection } = this;
    this.outbox.flush();
    if (connection) await withinLimit(connection.flush(), timeoutMs).catch(() => undefined);
    await withinLimit(this.keeper.close(), timeoutMs).catch(() => undefined);
  }

  /** Sends a message in this turn of the event loop; false when there is no connection. */
  send(subject: string, payload: string | Uint8Array, reply?: string, headers?: MsgHdrs): boolean {
    return this.outbox.put(subject, payload, reply, headers);
  }

  /**
   * Calls the listener before what was gathered in a turn of the event loop is sent, and in any case in the turn after
   * `flushSoon`. What it sends goes out with the rest. It may not throw.
   */
  beforeFlush(listener: () => void): Unsubscribe {
    this.outbox.beforeFlush.add(listener);
    return () => this.outbox.beforeFlush.delete(listener);
  }

  flushSoon(): void {
    this.outbox.flushSoon();
  }

  /** The largest payload with headers that the server takes, in bytes. */
  get maxPayloadBytes(): number {
    return this.connection?.info?.max_payload ?? Infinity;
  }

  /** The handler may throw: that is logged and harms nothing. With a `queue`, one of its subscribers gets each. */
  subscribe(subject: string, handler: (message: Msg) => void, queue?: string): BusSubscription {
    const subscribed: Subscribed = { subject, queue, handler, live: null };
    this.subscriptions.add(subscribed);
    if (this.connection) this.attach(subscribed, this.connection);
    return {
      unsubscribe: () => {
        this.subscriptions.delete(subscribed);
        if (this.connection) subscribed.live?.unsubscribe();
        subscribed.live = null;
      },
      drain: async (timeoutMs) => {
        this.subscriptions.delete(subscribed);
        const { live } = subscribed;
        if (!this.connection || !live || live.isClosed()) return;
        this.outbox.flush();
        await withinLimit(live.drain(), timeoutMs).catch(() => live.unsubscribe());
      },
    };
  }

  /** The reply, as it is. Rejects with `NotConnectedError` or the client's error. */
  async request(subject: string, payload: string | Uint8Array, timeoutMs: number): Promise<Msg> {
    return this.require().request(subject, payload, { timeout: timeoutMs });
  }

  /** JetStream's management calls on the present connection. Throws `NotConnectedError`. */
  async jetStream(timeoutMs: number): Promise<JetStreamManager> {
    return this.require().jetstreamManager({ checkAPI: false, timeout: timeoutMs });
  }

  private require(): NatsConnection {
    if (this.connection === null) throw new NotConnectedError();
    return this.connection;
  }

  private up(connection: NatsConnection): void {
    this.connection = connection;
    this.outbox.attach(connection);
    for (const subscribed of this.subscriptions) this.attach(subscribed, connection);
    for (const listener of [...this.connectListeners]) this.guard('a listener', listener);
  }

  private down(): void {
    this.connection = null;
    this.outbox.attach(null);
    for (const listener of [...this.disconnectListeners]) this.guard('a listener', listener);
  }

  private attach(subscribed: Subscribed, connection: NatsConnection): void {
    const { subject, queue, handler } = subscribed;
    subscribed.live = connection.subscribe(subject, {
      queue,
      // What is thrown here would end the client's reading for good.
      callback: (error, message) => {
        if (error) return this.complain(subject, error);
        try {
          handler(message);
        } catch (thrown) {
          this.complain(subject, thrown);
        }
      },
    });
  }

  private guard(what: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.complain(what, error);
    }
  }

  /** Logs what a handler threw, at most once a second: one that always fails may be called thousands of times. */
  complain(what: string, error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.complainedAtMs < 1_000) return;
    this.complainedAtMs = nowMs;
    this.log.error(`trouble with ${what}: ${error instanceof Error ? (error.stack ?? error.message) : words(error)}`);
  }
}

/** By its name, health knows it for what it is. */
class NatsTimeout extends Error {
  override readonly name = 'TimeoutError';

  constructor(limitMs: number) {
    super(`no answer from NATS within ${limitMs} ms`);
  }
}

async function withinLimit<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NatsTimeout(timeoutMs)), timeoutMs);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
