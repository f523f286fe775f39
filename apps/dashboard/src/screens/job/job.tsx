import type { ReactNode } from 'react';

export function Job({ id }: { readonly id: string }): ReactNode {
  return <h1>{id}</h1>;
}
