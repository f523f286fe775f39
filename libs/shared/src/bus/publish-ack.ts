import type { Msg } from 'nats';

export type PublishOutcome =
  | { readonly kind: 'stored'; readonly seq: number; readonly duplicate: boolean }
  /** It may have been stored or not: repeat with the same id, or leave it to the sweep. */
  | { readonly kind: 'in_doubt' }
  /** It was certainly not stored. */
  | { readonly kind: 'refused'; readonly reason: string };

const decoder = new TextDecoder();

/** What JetStream's reply to a publish says. */
export function readPublishAck(reply: Msg): PublishOutcome {
  const { data } = reply;
  if (data.length === 0) return { kind: 'refused', reason: statusReason(reply.headers?.code) };
  return parsePublishAck(decoder.decode(data));
}

const statusReason = (code: number | undefined): string =>
  code === 503 ? 'no stream takes this subject' : `an empty reply (status ${code ?? 'none'})`;

/** `{"stream":…,"seq":7,"duplicate":true}` or `{"error":{…}}`. A reply that is neither leaves it in doubt. */
export function parsePublishAck(text: string): PublishOutcome {
  let ack: unknown;
  try {
    ack = JSON.parse(text);
  } catch {
    return { kind: 'in_doubt' };
  }
  if (typeof ack !== 'object' || ack === null) return { kind: 'in_doubt' };
  if ('error' in ack && ack.error) return { kind: 'refused', reason: errorReason(ack.error) };
  if (!('seq' in ack) || typeof ack.seq !== 'number') return { kind: 'in_doubt' };
  return { kind: 'stored', seq: ack.seq, duplicate: 'duplicate' in ack && ack.duplicate === true };
}

const errorReason = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'description' in error ? String(error.description) : 'an error';
