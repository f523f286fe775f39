import type { Logger } from '#shared/runtime/logger';
import type { DeleteJobs } from '#shared/store/jobs/delete-jobs';
import { type ExpiredJobs, EXPIRY_START, type ExpiryPosition } from '#shared/store/jobs/expired-jobs';

/** Jobs that one look passes over or finds. */
const PAGE = 2_000;
const MOST_A_BATCH = 200;
/** A batch that takes longer is followed by a smaller one: some jobs have thousands of lines of log. */
const LONG_BATCH_MS = 500;
/** It takes at most a quarter of the time. */
const REST = 3;
const LEAST_PAUSE_MS = 10;
const LOG_EVERY_MS = 60_000;
const LONGEST_ROUND_PAUSE_MS = 60_000;
const SHORTEST_ROUND_PAUSE_MS = 1_000;

export interface JobPrunerDeps {
  readonly expired: Pick<ExpiredJobs, 'page'>;
  readonly deletions: Pick<DeleteJobs, 'prune'>;
  readonly retentionMs: number;
  readonly log: Logger;
  readonly nowMs?: () => number;
}

/**
 * Removes finished jobs that are older than the retention, the oldest first, in small batches with pauses between them. It
 * goes round: what has to stay, because another job needs it or somebody is at work on it, is looked at again in the next
 * round. Several schedulers share the work: none waits for what another has locked.
 */
export class JobPruner {
  private position: ExpiryPosition = EXPIRY_START;
  /** Of the page that was looked at last, those whose turn has not come. */
  private found: readonly string[] = [];
  private batch = MOST_A_BATCH;
  private removed = 0;
  private loggedAtMs = -Infinity;

  constructor(private readonly deps: JobPrunerDeps) {}

  /** Removes one batch, or looks for what is to be removed. @returns in how many milliseconds to go on */
  async runOnce(): Promise<number> {
    const startedAtMs = this.nowMs();
    const isOver = this.found.length > 0 ? await this.remove() : await this.look();
    this.tell();
    return isOver ? this.roundPauseMs() : Math.max(LEAST_PAUSE_MS, REST * (this.nowMs() - startedAtMs));
  }

  /** How long it rests when nothing is left that is old enough. */
  roundPauseMs(): number {
    return Math.min(LONGEST_ROUND_PAUSE_MS, Math.max(SHORTEST_ROUND_PAUSE_MS, this.deps.retentionMs / 10));
  }

  /** @returns whether the round is over */
  private async look(): Promise<boolean> {
    const { ids, next } = await this.deps.expired.page(this.position, PAGE);
    this.found = ids;
    this.position = next ?? EXPIRY_START;
    return next === null && ids.length === 0;
  }

  private async remove(): Promise<boolean> {
    const startedAtMs = this.nowMs();
    const ids = this.found.slice(0, this.batch);
    // One that cannot be deleted now must not keep the others from it.
    this.found = this.found.slice(this.batch);
    this.removed += await this.deps.deletions.prune(ids);
    const isLong = this.nowMs() - startedAtMs > LONG_BATCH_MS;
    this.batch = isLong ? Math.max(1, this.batch >> 1) : Math.min(MOST_A_BATCH, this.batch * 2);
    return this.found.length === 0 && this.position === EXPIRY_START;
  }

  private tell(): void {
    if (this.removed === 0 || this.nowMs() - this.loggedAtMs < LOG_EVERY_MS) return;
    this.deps.log.info({ jobs: this.removed }, 'finished jobs were removed that SLUICE_RETENTION keeps no longer');
    this.removed = 0;
    this.loggedAtMs = this.nowMs();
  }

  private nowMs(): number {
    return this.deps.nowMs?.() ?? performance.now();
  }
}
