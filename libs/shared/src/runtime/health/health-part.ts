/** Something that a service needs to do its work. */
export interface HealthPart {
  /** Short and stable; shown to whoever asks. */
  readonly name: string;
  /** Without a required part the service is not ready; without another one it is degraded. */
  readonly required: boolean;
  /** How long a check may take; default 1,500 ms. */
  readonly limitMs?: number;
  /** Resolves when the part works, rejects when it does not. `signal` aborts when the check's time is over. */
  check(signal: AbortSignal): Promise<void>;
}

/** A part says that it does not work; the reason is shown to whoever asks, so it names no host and no secret. */
export class PartDown extends Error {
  override readonly name = 'PartDown';
}

export interface PartState {
  readonly state: 'up' | 'down';
  readonly required: boolean;
  /** Why it is down, in a few words. */
  readonly reason?: string;
}

export const DEFAULT_CHECK_LIMIT_MS = 1_500;
