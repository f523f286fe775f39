import type { Msg } from 'nats';
import type { BusSubscription, NatsBus } from '#shared/bus/nats-bus';
import { readPullStatus, type PullStatus } from '#shared/bus/pull-status';

export interface PullEvents {
  /** A message came. `asked` is false for one of a pull that had been given up. */
  onMessage(message: Msg, asked: boolean): void;
  /** The pull has ended before it was used up. */
  onEnd(status: PullStatus): void;
}

/** How often `tick` is called. */
export const TICK_MS = 200;
/** Ticks, not time, so that a blocked event loop, which reads no answers, does not make good pulls look lost. */
const PATIENCE_TICKS = 10;
const CLOSE_LIMIT_MS = 1_000;
const NANOS_PER_MS = 1_000_000;

/**
 * One pull request at a time to one consumer, on an inbox of its own: a message does not say which request it
 * answers, the subscription it comes by does. A request that nobody answers is given up after 2 s.
 */
export class PullChannel {
  private readonly subject: string;
  private subscription: BusSubscription | null = null;
  private left = 0;
  private ticksLeft = 0;
  private isFetch = false;
  private requests = 0;
  private whenAnswered: (() => void) | null = null;

  constructor(
    private readonly bus: NatsBus,
    private readonly inbox: string,
    stream: string,
    consumer: string,
    private readonly events: PullEvents,
  ) {
    this.subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
  }

  /** Messages that the present request may still bring; 0 = there is none. */
  get asked(): number {
    return this.left;
  }

  open(): void {
    this.subscription = this.bus.subscribe(`${this.inbox}.*`, (message) => this.onAnswer(message));
  }

  /** Takes what is there, up to `batch`, and ends. */
  fetch(batch: number): void {
    this.isFetch = true;
    this.request(batch, `{"batch":${batch},"no_wait":true}`, 0);
  }

  /** Stays until `batch` messages have come or the time is over. */
  wait(batch: number, expiresMs: number): void {
    this.isFetch = false;
    this.request(batch, `{"batch":${batch},"expires":${expiresMs * NANOS_PER_MS}}`, expiresMs);
  }

  /** To be called every `TICK_MS`: ends a request that nobody answers. */
  tick(): void {
    if (this.left === 0) return;
    this.ticksLeft -= 1;
    if (this.ticksLeft > 0) return;
    // A fetch is also left unanswered while as many messages are unacknowledged as may be.
    this.end(this.isFetch ? { kind: 'refused', reason: 'no answer' } : { kind: 'lost' });
  }

  /** Forgets the request, as the server has: the connection was lost. */
  reset(): void {
    this.left = 0;
    this.requests += 1;
    this.whenAnswered?.();
  }

  /**
   * Resolves once nothing more can come. What the server has chosen for us but not sent when it unsubscribes us is
   * delivered again only after `ack_wait`: so a fetch is waited for.
   */
  async close(): Promise<void> {
    if (this.isFetch && this.left > 0) await this.answered();
    await this.subscription?.drain(CLOSE_LIMIT_MS);
    this.left = 0;
  }

  private answered(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_LIMIT_MS);
      this.whenAnswered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private request(batch: number, body: string, expiresMs: number): void {
    this.requests += 1;
    if (!this.bus.send(this.subject, body, `${this.inbox}.${this.requests}`)) return;
    this.left = batch;
    this.ticksLeft = PATIENCE_TICKS + Math.ceil(expiresMs / TICK_MS);
  }

  private onAnswer(message: Msg): void {
    if (message.reply) {
      const asked = this.left > 0;
      if (asked) this.left -= 1;
      if (this.left === 0) this.whenAnswered?.();
      return this.events.onMessage(message, asked);
    }
    const status = readPullStatus(message.headers?.code ?? 0, message.headers?.description ?? '');
    const isCurrent = message.subject === `${this.inbox}.${this.requests}`;
    if (status.kind !== 'going_on' && isCurrent && this.left > 0) this.end(status);
  }

  private end(status: PullStatus): void {
    this.reset();
    this.events.onEnd(status);
  }
}
