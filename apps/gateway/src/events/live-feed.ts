import type { Logger } from '#shared/runtime/logger';
import type { EventHub } from './event-hub';
import type { EventSource } from './event-source';
import type { SnapshotReader } from './snapshot-reader';

/** Bounds of the live views; tests shorten the times. */
export interface LiveLimits {
  readonly heartbeatMs: number;
  /** How often versions are compared with the store while the bus is away. */
  readonly pollMs: number;
  /** When a read that failed is tried again. */
  readonly retryMs: number;
  readonly maxSockets: number;
  /** Jobs that all sockets together may watch: about 1 KB each. */
  readonly maxWatched: number;
  /** Jobs that one socket watching all of them keeps track of. */
  readonly maxTracked: number;
  /** Sockets that watch all jobs: each is sent every event. */
  readonly maxAll: number;
}

export const LIVE_LIMITS: LiveLimits = {
  heartbeatMs: 30_000,
  pollMs: 2_000,
  retryMs: 1_000,
  maxSockets: 5_000,
  maxWatched: 100_000,
  maxTracked: 20_000,
  maxAll: 100,
};

/** What all sockets share. */
export interface LiveFeed {
  readonly source: EventSource;
  readonly hub: EventHub;
  readonly reader: SnapshotReader;
  readonly limits: LiveLimits;
  readonly log: Logger;
  /** Counts what is watched now, over all sockets. */
  readonly watched: WatchCount;
}

/** How many jobs, and how many times all jobs, are being watched. */
export class WatchCount {
  jobs = 0;
  all = 0;
}
