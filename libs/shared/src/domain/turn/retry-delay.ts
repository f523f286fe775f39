import type { BackOff } from '#shared/domain/pipeline';

/**
 * The delay before retry `retry` (1 = the first), in milliseconds, without jitter: rising or equal, never above `max_ms`.
 * fixed: initial; linear: initial × n; exponential: initial × factorⁿ⁻¹.
 */
export function baseDelayMs(backOff: BackOff, retry: number): number {
  switch (backOff.strategy) {
    case 'fixed':
      return Math.min(backOff.initial_ms, backOff.max_ms);
    case 'linear':
      return Math.min(backOff.initial_ms * retry, backOff.max_ms);
    case 'exponential':
      // Grows no further than a number can: 0 × Infinity would be no delay at all, but NaN.
      return Math.min(backOff.initial_ms * Math.min(backOff.factor ** (retry - 1), Number.MAX_VALUE), backOff.max_ms);
  }
}

/**
 * The delay with its jitter and the least that the error asked for.
 * @param random 0…1
 */
export function retryDelayMs(backOff: BackOff, retry: number, random: number, leastMs = 0): number {
  const spread = 1 + backOff.jitter * (2 * random - 1);
  return Math.max(Math.round(baseDelayMs(backOff, retry) * spread), leastMs, 0);
}
