import type { ReactNode } from 'react';

export function Scheduled(): ReactNode {
  return <h1>Scheduled</h1>;
}
