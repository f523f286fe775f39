import type { ReactNode } from 'react';

/** JSON as text. */
export function Json({ value }: { readonly value: unknown }): ReactNode {
  return (
    <pre className="code" tabIndex={0}>
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}
