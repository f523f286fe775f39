import type { LiveEventBatch } from '#shared/contracts/live-event';

/** Instead of a job's id. */
export const ALL_JOBS = 'all';

export type BatchListener = (batch: LiveEventBatch) => void;

/** Where live events come from: at most once, in no sure order. */
export interface EventSource {
  readonly connected: boolean;
  /** Passes on the batches of one job, or with ALL_JOBS of all; the answer ends it. */
  subscribe(scope: string, onBatch: BatchListener): () => void;
  /**
   * Resolves when every subscription made so far is in force, so that a read that begins now and the events from now
   * on leave nothing out. Resolves too when the bus is away: a connect will be told of later.
   */
  inForce(): Promise<void>;
  /** Called after each connect, the first included: anything may have been missed before. */
  onConnect(listener: () => void): void;
}
