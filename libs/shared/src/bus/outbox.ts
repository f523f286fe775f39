import type { MsgHdrs, NatsConnection } from 'nats';

interface Outgoing {
  readonly subject: string;
  readonly payload: string | Uint8Array;
  readonly reply: string | undefined;
  readonly headers: MsgHdrs | undefined;
}

const FLUSH_AT = 512;

/**
 * Gathers what is sent in one turn of the event loop into one write. The client writes after each callback, which under
 * load is a system call for each ack: more than all the rest of it costs.
 */
export class Outbox {
  private connection: NatsConnection | null = null;
  private waiting: Outgoing[] = [];
  private flushIsDue = false;
  /** Called before what was gathered is sent, to add to it. */
  readonly beforeFlush = new Set<() => void>();

  constructor(private readonly onError: (error: unknown) => void) {}

  /** What is sent from now on goes there; what was not sent yet is dropped. */
  attach(connection: NatsConnection | null): void {
    this.connection = connection;
    this.waiting = [];
  }

  /** False when there is no connection. */
  put(subject: string, payload: string | Uint8Array, reply?: string, headers?: MsgHdrs): boolean {
    if (this.connection === null) return false;
    this.waiting.push({ subject, payload, reply, headers });
    if (this.waiting.length >= FLUSH_AT) this.flush();
    else this.flushSoon();
    return true;
  }

  flushSoon(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    setImmediate(() => {
      for (const add of this.beforeFlush) add();
      this.flushIsDue = false;
      this.flush();
    });
  }

  /** Hands all to the client now. */
  flush(): void {
    const { connection, waiting } = this;
    if (connection === null || waiting.length === 0) return;
    this.waiting = [];
    for (const { subject, payload, reply, headers } of waiting) {
      if (connection.isClosed()) return;
      try {
        connection.publish(subject, payload, { reply, headers });
      } catch (error) {
        this.onError(error);
      }
    }
  }
}
