import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';

/** Fire and forget: dropped while disconnected. */
export declare function publishEvents(bus: NatsBus, jobId: string, payload: string): void;

/** Gives each message's job and text, as sent. */
export declare function subscribeEvents(
  bus: NatsBus,
  jobId: string | 'all',
  onMessage: (jobId: string, payload: string) => void,
): Unsubscribe;
