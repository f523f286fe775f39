import type { BusLog } from '#shared/bus/bus-log';

export interface BusOptions {
  /** `nats://host:port`; several separated by commas. */
  readonly url: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  readonly log: BusLog;
}

/** Ends what it was given for: a listener, a subscription. Safe to call twice. */
export type Unsubscribe = () => void;

export declare class NatsBus {
  /** Returns at once and connects in the background, for ever. */
  static open(options: BusOptions): NatsBus;
  /** Like `open`, resolved with the first connection. */
  static connect(options: BusOptions): Promise<NatsBus>;
  get isConnected(): boolean;
  /** Resolves true once connected, false when that takes longer. */
  whenConnected(timeoutMs: number): Promise<boolean>;
  /** Called after each connect, the first included, once subscriptions are in place. */
  onConnect(listener: () => void): Unsubscribe;
  onDisconnect(listener: () => void): Unsubscribe;
  /** The round trip in milliseconds; rejects when it takes longer than the limit. */
  ping(timeoutMs: number): Promise<number>;
  /** Flushes what is under way, for at most `timeoutMs`, and closes. */
  close(timeoutMs: number): Promise<void>;
}
