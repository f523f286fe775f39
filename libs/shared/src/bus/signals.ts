import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';

/** Says something to whoever listens; false when disconnected. */
export declare function notify(bus: NatsBus, subject: string, payload?: string): boolean;

/** What the handler throws is dropped. With a `queue`, one of its listeners gets each message. */
export declare function listen(
  bus: NatsBus,
  subject: string,
  handler: (payload: string) => void,
  queue?: string,
): Unsubscribe;

export type Answer =
  | { readonly kind: 'answered'; readonly payload: string }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' };

/** Never rejects. The first answer counts. */
export declare function request(bus: NatsBus, subject: string, payload: string, timeoutMs: number): Promise<Answer>;

/** All answers that come within the time, or until `enough` says so. */
export declare function requestMany(
  bus: NatsBus,
  subject: string,
  payload: string,
  options: { readonly timeoutMs: number; readonly enough: (answers: readonly string[]) => boolean },
): Promise<readonly string[]>;

/** Null, or a handler that throws, gives no answer. */
export declare function respond(
  bus: NatsBus,
  subject: string,
  handler: (payload: string) => string | null | Promise<string | null>,
  queue?: string,
): Unsubscribe;
