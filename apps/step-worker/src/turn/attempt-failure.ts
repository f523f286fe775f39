import { MAX_DURATION_MS } from '#shared/domain/duration';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import type { StepError } from '#shared/domain/turn/job-draft';

const MAX_MESSAGE_CHARACTERS = 4_000;

export interface AttemptFailure {
  readonly error: StepError;
  /** The next attempt begins no earlier than this. */
  readonly leastMs: number;
}

/** What an error means: the contract's "What an error means". Anything may be thrown, also what cannot be looked at. */
export function classify(error: unknown): AttemptFailure {
  try {
    const message = textOf(error instanceof Error ? error.message : error).slice(0, MAX_MESSAGE_CHARACTERS);
    const known: unknown = error instanceof Error && 'code' in error ? error.code : null;
    const code = typeof known === 'string' ? known : null;
    if (error instanceof PermanentError) return { error: { message, kind: 'permanent', code }, leastMs: 0 };
    const leastMs = error instanceof TransientError ? delayOf(error.minDelayMs) : 0;
    return { error: { message, kind: 'transient', code }, leastMs };
  } catch {
    return { error: { message: 'what the handler threw cannot be told', kind: 'transient', code: null }, leastMs: 0 };
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : String(value));

/** A delay that a row can hold. */
const delayOf = (ms: number | undefined): number =>
  ms !== undefined && Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_DURATION_MS) : 0;
