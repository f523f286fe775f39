import type { StepDefinition } from '#shared/domain/pipeline';
import { LONGEST_NAK_MS } from '#shared/domain/turn/claim';
import type { RetryDecision } from '#shared/domain/turn/end-attempt';
import { retryDelayMs } from '#shared/domain/turn/retry-delay';
import type { StepError } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';

/** Back-offs by nak beyond this many at once would pin the consumer; further ones go through the scheduler. */
export const MOST_NAKS = 25_000;

/**
 * Whether a failed step is tried again, and when.
 * @param leastMs the least delay that the error asked for
 * @param naksPending back-offs of this worker that a nak'd message carries just now
 */
export function decideRetry(
  step: StepDefinition,
  error: StepError,
  retryCount: number,
  leastMs: number,
  naksPending: number,
  random: () => number = Math.random,
): RetryDecision {
  if (error.kind === 'permanent' || retryCount >= step.max_retries) return { kind: 'final' };
  const delayMs = retryDelayMs(step.back_off, retryCount + 1, random(), leastMs);
  const isLong = delayMs > LONGEST_NAK_MS || naksPending >= MOST_NAKS;
  return { kind: 'retry', delayMs, viaScheduler: isLong && guardHolds('worker.long_waits_leave') };
}
