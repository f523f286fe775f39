import type { ReactNode } from 'react';

export function Resources(): ReactNode {
  return <h1>Resources</h1>;
}
