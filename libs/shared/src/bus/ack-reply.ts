/** What the reply subject of a JetStream delivery says. */
export interface AckReply {
  /** 1 for the first delivery. */
  readonly deliveryCount: number;
  readonly streamSeq: number;
  /** Messages that match the consumer and were not yet delivered when this one was. */
  readonly pending: number;
}

const PREFIX = '$JS.ACK.';
const DOT = 46;
const ZERO = 48;
const V1_TOKENS = 9;
const V2_MIN_TOKENS = 11;
/** Domain and account, which v2 has in front of the stream. */
const V2_MORE_TOKENS = 2;
const ends = new Int32Array(16);

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, or the longer form with
 * domain and account hash in front and perhaps more behind. Null when it is neither. Runs once a message: no splitting.
 */
export function parseAckReply(reply: string): AckReply | null {
  if (!reply.startsWith(PREFIX)) return null;
  let tokens = 0;
  for (let i = 0; i < reply.length; i += 1) {
    if (reply.charCodeAt(i) === DOT && tokens < ends.length) ends[tokens++] = i;
  }
  if (tokens < ends.length) ends[tokens++] = reply.length;
  if (tokens !== V1_TOKENS && tokens < V2_MIN_TOKENS) return null;
  const shift = tokens === V1_TOKENS ? 0 : V2_MORE_TOKENS;
  const deliveryCount = numberAt(reply, 4 + shift);
  const streamSeq = numberAt(reply, 5 + shift);
  const pending = numberAt(reply, 8 + shift);
  return deliveryCount < 1 || streamSeq < 1 || pending < 0 ? null : { deliveryCount, streamSeq, pending };
}

/** The token's digits as a number; -1 when it holds anything else. */
function numberAt(reply: string, token: number): number {
  const from = (ends[token - 1] as number) + 1;
  const to = ends[token] as number;
  if (from >= to || to - from > 16) return -1;
  let value = 0;
  for (let i = from; i < to; i += 1) {
    const digit = reply.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
