/** Why a pull request has ended. */
export type PullStatus =
  /** Nothing more to have: no messages, or its time is over. */
  | { readonly kind: 'used_up' }
  /** A sign of life: it goes on. */
  | { readonly kind: 'going_on' }
  /** Stream or consumer are not there, or JetStream is not. */
  | { readonly kind: 'missing'; readonly reason: string }
  /** Refused for now. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nobody answered. */
  | { readonly kind: 'lost' };

/** Reads the status of a message without a payload that answers a pull request. */
export function readPullStatus(code: number, description: string): PullStatus {
  if (code === 100) return { kind: 'going_on' };
  if (code === 404 || code === 408) return { kind: 'used_up' };
  const reason = `${code} ${description}`.trim();
  if (code === 503 || (code === 409 && /consumer deleted|stream/i.test(description)))
    return { kind: 'missing', reason };
  return { kind: 'refused', reason };
}
