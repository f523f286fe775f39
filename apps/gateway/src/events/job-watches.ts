import type { LiveEventBatch } from '#shared/contracts/live-event';
import { HOLD_MS, JobSession, type SessionAction } from './job-session';
import type { LiveFeed } from './live-feed';
import type { LiveSocket } from './live-socket';
import type { Snapshot } from './snapshot-reader';

/** Snapshots that one socket may have under way: asked for, or waiting for the client to take what was sent before. */
const MAX_READS = 8;

/** What becomes of a watch is for the kind of socket to say. */
export interface WatchRules {
  /** The client knows that the job has ended. */
  ended(jobId: string, version: number): void;
  /** There is no such job, or not any more. */
  missing(jobId: string): void;
  /** It could not be read; `first`: the client has no snapshot of it yet. The read is tried again. */
  unreadable(jobId: string, first: boolean): void;
}

class Watch {
  stop: () => void = () => undefined;
  holdTimer: NodeJS.Timeout | undefined;
  hasSnapshot = false;
  /** The newest version that the client was sent. */
  version = 0;

  constructor(readonly session: JobSession) {}
}

/**
 * The jobs that one socket watches: does what their sessions ask for. Reads wait in line, a few at a time, and only
 * while the client takes what it is sent: snapshots alone never make a client slow.
 */
export class JobWatches {
  /** The least recently active first. */
  private readonly watches = new Map<string, Watch>();
  private readonly line = new Set<string>();
  private reading = 0;
  private retryTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: LiveSocket,
    private readonly feed: LiveFeed,
    private readonly rules: WatchRules,
  ) {}

  get size(): number {
    return this.watches.size;
  }

  has(jobId: string): boolean {
    return this.watches.has(jobId);
  }

  jobIds(): IterableIterator<string> {
    return this.watches.keys();
  }

  /** The job that has been quiet for longest. */
  quietest(): { readonly jobId: string; readonly waitsForSnapshot: boolean } | null {
    const first = this.watches.entries().next();
    if (first.done) return null;
    const [jobId, watch] = first.value;
    return { jobId, waitsForSnapshot: watch.session.waitsForSnapshot };
  }

  /** Watches a job through a subscription of its own: the first read waits until that is in force. */
  async watch(jobId: string): Promise<void> {
    const watch = this.add(jobId);
    watch.stop = this.feed.hub.listen(jobId, (batch) => this.onBatch(batch));
    await this.feed.source.inForce();
    if (this.watches.get(jobId) === watch) this.wantRead(jobId);
  }

  /** Watches a job whose events come through `onBatch` already. */
  track(jobId: string): void {
    this.add(jobId);
    this.wantRead(jobId);
  }

  unwatch(jobId: string): void {
    const watch = this.watches.get(jobId);
    if (!watch) return;
    watch.stop();
    clearTimeout(watch.holdTimer);
    this.watches.delete(jobId);
    this.line.delete(jobId);
    this.feed.watched.jobs -= 1;
  }

  /** Stops watching everything. */
  clear(): void {
    for (const jobId of [...this.watches.keys()]) this.unwatch(jobId);
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
  }

  onBatch(batch: LiveEventBatch): void {
    const watch = this.watches.get(batch.job_id);
    if (!watch) return;
    this.watches.delete(batch.job_id);
    this.watches.set(batch.job_id, watch);
    this.apply(batch.job_id, watch, watch.session.onBatch(batch));
  }

  /** Begins a new snapshot of a job, or of all. */
  renew(jobId?: string): void {
    const jobIds = jobId === undefined ? [...this.watches.keys()] : [jobId];
    for (const each of jobIds) this.ask(each, (session) => session.renew());
  }

  /** Compares with the store. */
  onStoredVersion(jobId: string, version: number | null): void {
    this.ask(jobId, (session) => session.onStoredVersion(version));
  }

  private add(jobId: string): Watch {
    const watch = new Watch(new JobSession(jobId));
    this.watches.set(jobId, watch);
    this.feed.watched.jobs += 1;
    return watch;
  }

  private ask(jobId: string, question: (session: JobSession) => SessionAction[]): void {
    const watch = this.watches.get(jobId);
    if (watch) this.apply(jobId, watch, question(watch.session));
  }

  private apply(jobId: string, watch: Watch, actions: readonly SessionAction[], snapshot?: Snapshot): void {
    for (const action of actions) {
      if (this.watches.get(jobId) !== watch) return;
      switch (action.kind) {
        case 'send_snapshot':
          watch.hasSnapshot = true;
          watch.version = snapshot?.job.version ?? watch.version;
          if (snapshot) this.socket.send(snapshot.message);
          break;
        case 'send_event':
          watch.version = action.message.version;
          this.socket.send(JSON.stringify(action.message));
          break;
        case 'hold':
          clearTimeout(watch.holdTimer);
          watch.holdTimer = setTimeout(() => this.apply(jobId, watch, watch.session.holdOver()), HOLD_MS);
          break;
        case 'read':
          this.wantRead(jobId);
          break;
        case 'ended':
          this.rules.ended(jobId, watch.version);
          break;
      }
    }
  }

  private wantRead(jobId: string): void {
    this.line.add(jobId);
    this.readOn();
  }

  private readOn(): void {
    while (this.reading < MAX_READS && this.retryTimer === undefined && this.socket.isOpen) {
      const next = this.line.values().next();
      if (next.done) return;
      this.line.delete(next.value);
      const watch = this.watches.get(next.value);
      if (watch) void this.read(next.value, watch);
    }
  }

  private async read(jobId: string, watch: Watch): Promise<void> {
    this.reading += 1;
    watch.session.readBegins();
    let snapshot: Snapshot | null;
    try {
      snapshot = await this.feed.reader.read(jobId);
    } catch {
      this.reading -= 1;
      this.readLater(jobId, watch);
      return;
    }
    this.socket.whenRoomy(() => this.readEnded(jobId, watch, snapshot));
  }

  private readEnded(jobId: string, watch: Watch, snapshot: Snapshot | null): void {
    this.reading -= 1;
    if (this.watches.get(jobId) === watch) {
      if (snapshot) this.apply(jobId, watch, watch.session.onSnapshot(snapshot.job), snapshot);
      else this.rules.missing(jobId);
    }
    this.readOn();
  }

  /** The reader has logged why. */
  private readLater(jobId: string, watch: Watch): void {
    if (this.watches.get(jobId) !== watch) return this.readOn();
    watch.session.readFailed();
    this.line.add(jobId);
    this.rules.unreadable(jobId, !watch.hasSnapshot);
    if (!this.socket.isOpen) return;
    this.retryTimer ??= setTimeout(() => {
      this.retryTimer = undefined;
      this.readOn();
    }, this.feed.limits.retryMs);
  }
}
