import { createInbox, ErrorCode, NatsError, type Msg } from 'nats';
import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';

/** Core NATS: at most once. For what may get lost, because somebody looks by himself in the end. */

/** Says something to whoever listens; false when it was not sent. */
export function notify(bus: NatsBus, subject: string, payload = ''): boolean {
  return payload.length <= bus.maxPayloadBytes && bus.send(subject, payload);
}

/** With a `queue`, one of its listeners gets each message. What the handler throws is logged. */
export function listen(bus: NatsBus, subject: string, handler: (payload: string) => void, queue?: string): Unsubscribe {
  const subscription = bus.subscribe(subject, (message) => handler(message.string()), queue);
  return () => subscription.unsubscribe();
}

const TIMEOUT: string = ErrorCode.Timeout;

export type Answer =
  | { readonly kind: 'answered'; readonly payload: string }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'disconnected' };

/** Asks, and takes the first answer. Never rejects. */
export async function request(bus: NatsBus, subject: string, payload: string, timeoutMs: number): Promise<Answer> {
  try {
    const reply = await bus.request(subject, payload, timeoutMs);
    return { kind: 'answered', payload: reply.string() };
  } catch (error) {
    if (error instanceof NatsError && error.code === '503') return { kind: 'nobody' };
    if (error instanceof NatsError && error.code === TIMEOUT) return { kind: 'timeout' };
    return { kind: 'disconnected' };
  }
}

export interface RequestManyOptions {
  readonly timeoutMs: number;
  /** Called after each answer with all so far; true ends the wait. */
  readonly enough: (answers: readonly string[]) => boolean;
}

/** Asks everybody. Gives what has come when it is enough, nobody listens, or the time is over. Never rejects. */
export function requestMany(
  bus: NatsBus,
  subject: string,
  payload: string,
  { timeoutMs, enough }: RequestManyOptions,
): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const answers: string[] = [];
    const inbox = createInbox();
    const end = (): void => {
      clearTimeout(timer);
      subscription.unsubscribe();
      resolve(answers);
    };
    const subscription = bus.subscribe(inbox, (message) => {
      if (isNobody(message)) return end();
      answers.push(message.string());
      if (enough(answers)) end();
    });
    const timer = setTimeout(end, timeoutMs);
    if (!bus.send(subject, payload, inbox)) end();
  });
}

const isNobody = (message: Msg): boolean => message.data.length === 0 && message.headers?.code === 503;

/** Answers requests. Null, or a handler that throws, gives no answer. */
export function respond(
  bus: NatsBus,
  subject: string,
  handler: (payload: string) => string | null | Promise<string | null>,
  queue?: string,
): Unsubscribe {
  const answer = async (message: Msg): Promise<void> => {
    try {
      const payload = await handler(message.string());
      if (payload !== null && message.reply) notify(bus, message.reply, payload);
    } catch (error) {
      bus.complain(subject, error);
    }
  };
  const subscription = bus.subscribe(subject, (message) => void answer(message), queue);
  return () => subscription.unsubscribe();
}
