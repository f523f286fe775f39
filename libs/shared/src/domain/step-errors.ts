/** A handler throws this when trying again cannot help: the step fails for good, whatever its `max_retries`. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';

  /** @param code short, stable, for grouping, e.g. `source_missing` */
  constructor(
    message: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

/** A handler throws this when trying again may help. Anything else that it throws counts as transient too. */
export class TransientError extends Error {
  override readonly name = 'TransientError';

  /** @param minDelayMs the next attempt begins no earlier than this, e.g. from `Retry-After` */
  constructor(
    message: string,
    readonly code?: string,
    readonly minDelayMs?: number,
  ) {
    super(message);
  }
}
