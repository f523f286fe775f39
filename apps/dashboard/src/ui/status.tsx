import type { ReactNode } from 'react';
import type { JobStatus, StepStatus } from '#shared/domain/status';

export type AnyStatus = JobStatus | StepStatus;

/** A sign for each, so that colour is never the only one. */
export const STATUS_SIGNS: Readonly<Record<AnyStatus, string>> = {
  scheduled: '◷',
  waiting: '⋯',
  pending: '○',
  queued: '◌',
  running: '▶',
  retrying: '↻',
  completed: '✓',
  failed: '✕',
  skipped: '⤼',
  cancelled: '⊘',
  cancelling: '⊗',
};

export function Status({ of: status }: { readonly of: AnyStatus }): ReactNode {
  return (
    <span className={`status status-${status}`}>
      <span aria-hidden="true">{STATUS_SIGNS[status]}</span> {status}
    </span>
  );
}

/** `1/3` retries; those that have been made stand out. */
export function Retries({ count, max }: { readonly count: number; readonly max?: number }): ReactNode {
  const words = max === undefined ? String(count) : `${count}/${max}`;
  return <span className={count > 0 ? 'retried' : 'quiet'}>{words}</span>;
}

export function Progress({ value, label }: { readonly value: number; readonly label: string }): ReactNode {
  return (
    <span className="progress">
      <progress value={value} max={100} aria-label={label} /> <span className="number">{Math.floor(value)} %</span>
    </span>
  );
}
