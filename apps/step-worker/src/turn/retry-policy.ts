import type { StepDefinition } from '#shared/domain/pipeline';
import type { RetryDecision } from '#shared/domain/turn/end-attempt';
import { retryDelayMs } from '#shared/domain/turn/retry-delay';
import type { StepError } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';

/** Messages that workers keep through back-offs, all workers together: half of what a consumer may have out. */
export const MOST_RESTING = 25_000;

/** What decides whether a worker waits a back-off out itself. */
export interface RestLimits {
  /** Back-offs that this worker waits out now. */
  readonly resting: number;
  /** Workers that do so, this one included: each has its share of the room. */
  readonly workersAlive: number;
  /** Longer ones, in milliseconds, outlast the ack wait of the message that is kept. */
  readonly longestMs: number;
}

/** Whether the worker may wait so long itself: it keeps the message, which counts against the consumer's limit. */
export const mayRest = (delayMs: number, { resting, workersAlive, longestMs }: RestLimits): boolean =>
  delayMs <= longestMs && resting < Math.floor(MOST_RESTING / Math.max(1, workersAlive));

/**
 * Whether a failed step is tried again, and when. What the worker may not wait out itself is left to the scheduler.
 * @param leastMs the least delay that the error asked for
 */
export function decideRetry(
  step: StepDefinition,
  error: StepError,
  retryCount: number,
  leastMs: number,
  limits: RestLimits,
  random: () => number = Math.random,
): RetryDecision {
  if (error.kind === 'permanent' || retryCount >= step.max_retries) return { kind: 'final' };
  const delayMs = retryDelayMs(step.back_off, retryCount + 1, random(), leastMs);
  const leaves = !mayRest(delayMs, limits) && guardHolds('worker.long_waits_leave');
  return { kind: 'retry', delayMs, viaScheduler: leaves };
}
