import type { ReactNode } from 'react';

interface Pages {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  readonly fetchNextPage: () => Promise<unknown>;
}

/** Reads the next page of a list, where there is one. */
export function More({ pages }: { readonly pages: Pages }): ReactNode {
  if (!pages.hasNextPage) return null;
  return (
    <p className="more">
      <button type="button" disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
        {pages.isFetchingNextPage ? 'Reading…' : 'Show more'}
      </button>
    </p>
  );
}
