import type { MsgHdrs } from 'nats';

/**
 * The one header that a publish needs, written directly: of the client's own headers object the encoding alone is
 * used when it publishes, and building one costs as much as the rest of a publish. `id` may hold no line break.
 */
export function messageIdHeader(id: string): MsgHdrs {
  return new MessageIdHeader(id) as unknown as MsgHdrs;
}

class MessageIdHeader {
  constructor(private readonly id: string) {}

  encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\nNats-Msg-Id: ${this.id}\r\n\r\n`, 'latin1');
  }
}
