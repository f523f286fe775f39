import type { ReactNode } from 'react';

export function Submit(): ReactNode {
  return <h1>Submit</h1>;
}
