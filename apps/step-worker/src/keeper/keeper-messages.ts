import type { Micros } from '#shared/domain/turn/job-draft';
import type { LogLevel } from '#shared/runtime/environment';
import type { LogForm } from '#shared/runtime/logger';

/** What the keeper thread is told when it starts. */
export interface KeeperSettings {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly leaseMs: number;
  readonly ackWaitMs: number;
  /** How long after its time-out a step may go on before the process has to go with it. */
  readonly stuckAfterMs: number;
  /** How often the main thread's loop says that it turns. */
  readonly beatMs: number;
  /** Whether to do for a blocked loop what it cannot do itself. Off only in tests. */
  readonly helpsBlockedLoop: boolean;
  readonly log: { readonly service: string; readonly level: LogLevel; readonly form: LogForm };
  /** The main thread's `performance.now()` was 0 at this `process.hrtime.bigint()`. */
  readonly clockOriginNs: bigint;
  /** See `LoopSignals`. */
  readonly signals: SharedArrayBuffer;
  /** See `TurnSlots`. */
  readonly slots: SharedArrayBuffer;
}

export type ToKeeper =
  /** Renew this lease from now on, and no other. */
  { readonly kind: 'keep'; readonly worker: string; readonly deadline: SharedArrayBuffer } | { readonly kind: 'stop' };

/** Times are the main thread's `performance.now()`. */
export interface Renewed {
  readonly kind: 'renewed';
  readonly worker: string;
  readonly databaseTime: Micros;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  /** Workers with a valid lease, this one included. */
  readonly workersAlive: number;
}

export type FromKeeper =
  /** Connected to the database: a lease will be kept. */
  | { readonly kind: 'ready' }
  | Renewed
  /** The lease is over, and not renewed any more. */
  | { readonly kind: 'lost'; readonly worker: string };

/** Small words that the main thread says by writing them. */
export class LoopSignals {
  private readonly words: Int32Array;

  constructor(readonly buffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.words = new Int32Array(buffer);
  }

  /** The loop turns. */
  beat(): void {
    Atomics.add(this.words, 0, 1);
  }

  /** Changes as long as the loop turns. */
  get beats(): number {
    return Atomics.load(this.words, 0);
  }

  /** Which store what is delivered now comes from; what came from another one is no longer there. */
  get store(): number {
    return Atomics.load(this.words, 1);
  }

  set store(store: number) {
    Atomics.store(this.words, 1, store);
  }
}
