/** What a due run does while jobs of its schedule have not ended. */
export const OVERLAPS = ['skip', 'queue', 'allow'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** Jobs of a schedule that may wait for one another. */
export const MOST_QUEUED = 100;

export type DueRun =
  | { readonly kind: 'start' }
  /** As a job that waits for the newest of those that have not ended. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'skip' };

/** @param live jobs of the schedule that have not ended */
export function dueRun(overlap: Overlap, live: number): DueRun {
  if (live === 0 || overlap === 'allow') return { kind: 'start' };
  if (overlap === 'queue' && live < MOST_QUEUED) return { kind: 'wait' };
  return { kind: 'skip' };
}
