import type { Logger } from '#shared/runtime/logger';
import type { Cancels } from '#shared/store/jobs/cancels';
import type { WorkerLease } from '../lease/worker-lease';
import type { ActiveTurns } from '../turn/active-turns';
import type { CancelledJobs } from './cancelled-jobs';

export interface CancelWatchDeps {
  readonly cancels: Pick<Cancels, 'look' | 'acknowledge'>;
  readonly lease: Pick<WorkerLease, 'current'>;
  readonly turns: ActiveTurns;
  readonly cancelled: CancelledJobs;
  /** A cancel was acknowledged: somebody may end the job now. */
  readonly onAcknowledged: () => void;
  readonly log: Logger;
}

/**
 * This worker's part in a cancel: looks at what is being cancelled, remembers it, stops what runs of it, and only then
 * says that it runs nothing of it. A look is taken when the word comes, whenever a cancelled turn has ended, and at each
 * renewal of the lease, so that a word that was lost costs a few seconds.
 */
export class CancelWatch {
  private looking: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(private readonly deps: CancelWatchDeps) {}

  /** Looks now; where a look is under way, once more after it. Resolves when that is done; never rejects. */
  look(): Promise<void> {
    if (!this.looking) {
      this.looking = this.lookSafely();
      return this.looking;
    }
    this.next ??= this.looking.then(() => {
      this.next = undefined;
      return this.look();
    });
    return this.next;
  }

  private async lookSafely(): Promise<void> {
    // Whatever asks for a look from here on asks for another one.
    await Promise.resolve();
    try {
      await this.lookOnce();
    } catch (error) {
      this.deps.log.warn({ err: error }, 'cannot look at what is being cancelled: trying again');
    } finally {
      this.looking = undefined;
    }
  }

  private async lookOnce(): Promise<void> {
    const { cancels, lease, turns, cancelled } = this.deps;
    const { id } = lease.current;
    if (id === '') return;
    const { jobs, until, at } = await cancels.look();
    if (jobs.length === 0) return;
    for (const job of jobs) cancelled.add(job.id, job.run, at);
    const windingDown = new Set<string>();
    for (const turn of turns.all()) {
      const { job_id, run } = turn.message;
      if (!cancelled.has(job_id, run)) continue;
      windingDown.add(job_id);
      turn.cancel();
    }
    await cancels.acknowledge(id, until, [...windingDown]);
    this.deps.onAcknowledged();
  }
}
