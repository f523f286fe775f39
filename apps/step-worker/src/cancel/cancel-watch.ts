import type { Micros } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import { type CancelledJob, type Cancels, LOOK_START } from '#shared/store/jobs/cancels';
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
    const { cancels, lease, turns } = this.deps;
    const { id } = lease.current;
    if (id === '') return;
    const { jobs, at: until, next } = await cancels.look(LOOK_START);
    if (jobs.length === 0) return;
    this.stop(jobs, until);
    for (let from = next; from !== null;) {
      const page = await cancels.look(from);
      this.stop(page.jobs, page.at);
      from = page.next;
    }
    const windingDown = new Set<string>();
    for (const turn of turns.all()) if (turn.cancelled) windingDown.add(turn.message.job_id);
    await cancels.acknowledge(id, until, [...windingDown]);
    this.deps.onAcknowledged();
  }

  /** Remembers a page, and stops what runs of it: the next one may push it out of the memory. */
  private stop(jobs: readonly CancelledJob[], at: Micros): void {
    const { turns, cancelled } = this.deps;
    for (const job of jobs) cancelled.add(job.id, job.run, at);
    for (const turn of turns.all()) if (cancelled.has(turn.message.job_id, turn.message.run)) turn.cancel();
  }
}
