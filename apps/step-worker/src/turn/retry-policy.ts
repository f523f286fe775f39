import type { StepDefinition } from '#shared/domain/pipeline';
import { LONGEST_NAK_MS } from '#shared/domain/turn/claim';
import type { RetryDecision } from '#shared/domain/turn/end-attempt';
import { retryDelayMs } from '#shared/domain/turn/retry-delay';
import type { StepError } from '#shared/domain/turn/job-draft';

/** Back-offs by nak beyond this many at once, of all workers, would pin the consumer. */
export const MOST_NAKS = 25_000;

/** Back-offs that messages nak'd by this worker carry. */
export interface NaksOut {
  readonly pending: number;
  /** Workers that nak, this one included: each has its share. */
  readonly workersAlive: number;
}

/** Whether further back-offs of this worker go through the scheduler, however short they are. */
export const hasMostNaks = ({ pending, workersAlive }: NaksOut): boolean =>
  pending >= Math.floor(MOST_NAKS / Math.max(1, workersAlive));

/**
 * Whether a failed step is tried again, and when.
 * @param leastMs the least delay that the error asked for
 */
export function decideRetry(
  step: StepDefinition,
  error: StepError,
  retryCount: number,
  leastMs: number,
  naks: NaksOut,
  random: () => number = Math.random,
): RetryDecision {
  if (error.kind === 'permanent' || retryCount >= step.max_retries) return { kind: 'final' };
  const delayMs = retryDelayMs(step.back_off, retryCount + 1, random(), leastMs);
  return { kind: 'retry', delayMs, viaScheduler: delayMs > LONGEST_NAK_MS || hasMostNaks(naks) };
}
