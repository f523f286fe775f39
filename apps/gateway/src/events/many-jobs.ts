import type { LiveEventBatch } from '#shared/contracts/live-event';
import { ALL_JOBS } from './event-source';
import { jobIdOf } from './job-id';
import type { JobWatches, WatchRules } from './job-watches';
import type { LiveFeed } from './live-feed';
import { CLOSE, type LiveSocket } from './live-socket';
import { errorMessage, MAX_JOBS_PER_SOCKET, parseSocketRequest, type SocketRequest } from './socket-messages';

/** Ended jobs that are remembered, so that what comes late of them does not begin them anew. */
const MAX_ENDED_LATELY = 1_000;

/**
 * What one client watches that may watch many jobs: those that it named, and, with `all`, every other from its next
 * event on. The latter are tracked until they end; when there are too many, the one that has been quiet for longest
 * is forgotten, and begins with a snapshot again at its next event.
 */
export class ManyJobs {
  private readonly named: JobWatches;
  private readonly tracked: JobWatches;
  private readonly endedLately = new Map<string, number>();
  private stopAll: (() => void) | null = null;

  constructor(
    private readonly socket: LiveSocket,
    private readonly feed: LiveFeed,
    makeWatches: (rules: WatchRules) => JobWatches,
  ) {
    this.named = makeWatches({
      ended: () => undefined,
      missing: (jobId) => {
        this.named.unwatch(jobId);
        this.refuse(jobId, 'There is no such job.');
      },
      unreadable: () => undefined,
    });
    this.tracked = makeWatches({
      ended: (jobId, version) => this.forgetEnded(jobId, version),
      missing: (jobId) => this.tracked.unwatch(jobId),
      unreadable: () => undefined,
    });
    socket.whenEnded(() => this.unsubscribeAll());
  }

  /** Does what the client's message asks for, or says why not. */
  onMessage(text: string): void {
    const request = parseSocketRequest(text);
    if ('fault' in request) this.socket.send(errorMessage(request.fault));
    else if (this.socket.isOpen) this.obey(request);
  }

  private obey(request: SocketRequest): void {
    const subscribes = request.action === 'subscribe';
    if (request.job_ids === undefined) {
      if (subscribes) this.subscribeAll();
      else this.unsubscribeAll();
      return;
    }
    for (const text of request.job_ids) {
      const jobId = jobIdOf(text);
      if (!subscribes) this.named.unwatch(jobId ?? text);
      else if (jobId === null) this.refuse(text, 'There is no such job.');
      else this.subscribe(jobId);
    }
  }

  private subscribe(jobId: string): void {
    if (this.named.has(jobId)) {
      this.named.renew(jobId);
    } else if (this.named.size >= MAX_JOBS_PER_SOCKET) {
      this.refuse(jobId, `A socket watches at most ${MAX_JOBS_PER_SOCKET} jobs by id.`);
    } else if (this.feed.watched.jobs >= this.feed.limits.maxWatched) {
      this.refuse(jobId, 'Too many jobs are being watched; try again later.');
    } else {
      this.tracked.unwatch(jobId);
      void this.named.watch(jobId);
    }
  }

  private subscribeAll(): void {
    if (this.stopAll) return this.tracked.renew();
    if (this.feed.watched.all >= this.feed.limits.maxAll) {
      this.socket.send(errorMessage('Too many sockets watch all jobs; try again later.'));
      return;
    }
    this.feed.watched.all += 1;
    this.stopAll = this.feed.hub.listen(ALL_JOBS, (batch) => this.onAnyBatch(batch));
  }

  private unsubscribeAll(): void {
    if (!this.stopAll) return;
    this.stopAll();
    this.stopAll = null;
    this.feed.watched.all -= 1;
    this.tracked.clear();
    this.endedLately.clear();
  }

  private onAnyBatch(batch: LiveEventBatch): void {
    const jobId = batch.job_id;
    if (this.named.has(jobId)) return;
    if (!this.tracked.has(jobId)) {
      if (batch.version <= (this.endedLately.get(jobId) ?? -1)) return;
      if (!this.makeRoom()) return;
      this.endedLately.delete(jobId);
      this.tracked.track(jobId);
    }
    this.tracked.onBatch(batch);
  }

  /** When even the quietest job still waits for its snapshot, more is happening than can be shown. */
  private makeRoom(): boolean {
    const { watched, limits } = this.feed;
    if (this.tracked.size < limits.maxTracked && watched.jobs < limits.maxWatched) return true;
    const quietest = this.tracked.quietest();
    if (quietest === null || quietest.waitsForSnapshot) {
      this.socket.end(CLOSE.tryAgainLater, 'more jobs change than can be shown');
      return false;
    }
    this.tracked.unwatch(quietest.jobId);
    return true;
  }

  private forgetEnded(jobId: string, version: number): void {
    this.tracked.unwatch(jobId);
    this.endedLately.set(jobId, version);
    if (this.endedLately.size <= MAX_ENDED_LATELY) return;
    const oldest = this.endedLately.keys().next();
    if (!oldest.done) this.endedLately.delete(oldest.value);
  }

  private refuse(jobId: string, why: string): void {
    this.socket.send(errorMessage(why, jobId));
  }
}
