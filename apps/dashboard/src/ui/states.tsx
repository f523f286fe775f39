import type { ReactNode } from 'react';
import { CallError } from '../api/client';

export function Loading({ what }: { readonly what: string }): ReactNode {
  return (
    <p className="state loading" role="status">
      Reading {what}…
    </p>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }): ReactNode {
  return (
    <div className="state">
      <p className="state-title">{title}</p>
      {children}
    </div>
  );
}

/** What went wrong with a call, and a way to try again. */
export function Failed({ error, onRetry }: { readonly error: Error; readonly onRetry?: () => void }): ReactNode {
  const isKnown = error instanceof CallError;
  return (
    <div className="state failed" role="alert">
      <p className="state-title">
        {isKnown && error.status === 404 ? 'There is no such thing.' : 'That did not work.'}
      </p>
      <p>{error.message}</p>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
