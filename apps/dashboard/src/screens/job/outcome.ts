import type { Outcome } from '#shared/domain/status';

/** A sign for how an attempt ended, so that colour is never the only one. */
export const OUTCOME_SIGNS: Readonly<Record<Outcome, string>> = {
  completed: '✓',
  failed: '✕',
  timeout: '◔',
  crashed: '‼',
  cancelled: '⊘',
};
