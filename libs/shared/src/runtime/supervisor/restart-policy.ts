/** When to start again what has died. */
export interface RestartPolicy {
  /** Before the second restart in a row; the first is at once. Each further pause is twice the one before. */
  readonly secondPauseMs: number;
  readonly maxPauseMs: number;
  /** What ran this long without dying begins anew with a restart at once. */
  readonly steadyAfterMs: number;
}

export const RESTART_POLICY: RestartPolicy = { secondPauseMs: 500, maxPauseMs: 30_000, steadyAfterMs: 60_000 };

export interface Restart {
  /** Restarts in a row, this one included. */
  readonly inARow: number;
  readonly pauseMs: number;
}

/**
 * The next restart.
 * @param inARow restarts in a row so far
 * @param ranForMs how long it ran before it died; 0 when it did not even start
 */
export function nextRestart(policy: RestartPolicy, inARow: number, ranForMs: number): Restart {
  const before = ranForMs >= policy.steadyAfterMs ? 0 : inARow;
  if (before === 0) return { inARow: 1, pauseMs: 0 };
  const pauseMs = Math.min(policy.secondPauseMs * 2 ** (before - 1), policy.maxPauseMs);
  return { inARow: before + 1, pauseMs };
}
