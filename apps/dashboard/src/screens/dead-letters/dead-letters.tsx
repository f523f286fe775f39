import type { ReactNode } from 'react';

export function DeadLetters({ fingerprint }: { readonly fingerprint?: string }): ReactNode {
  return <h1>Dead letters {fingerprint}</h1>;
}
