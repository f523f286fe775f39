import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { WebSocket } from 'ws';
import { JobWatches, type WatchRules } from './job-watches';
import type { LiveFeed } from './live-feed';
import { CLOSE, LiveSocket } from './live-socket';

/** Ids that one statement compares with the store. */
const COMPARE_AT_ONCE = 1_000;
/** How long clients have to answer our close when the service stops. */
const GOODBYE_MS = 1_000;

/** One socket and what it watches. */
class LiveView {
  readonly watches: JobWatches[] = [];

  constructor(readonly socket: LiveSocket) {}
}

/**
 * Every open socket: their heartbeat, the comparison with the store that finds what was missed, their end. One timer
 * serves them all.
 */
export class LiveViews implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly views = new Set<LiveView>();
  private readonly connections = new Set<WebSocket>();
  private comparing = false;
  private stopping = false;
  private timers: NodeJS.Timeout[] = [];

  constructor(readonly feed: LiveFeed) {}

  /** Why no further socket can be had; null: one can. */
  get refusal(): string | null {
    if (this.stopping) return 'The service is stopping.';
    if (this.connections.size >= this.feed.limits.maxSockets) return 'Too many sockets are open.';
    return null;
  }

  onApplicationBootstrap(): void {
    const { limits, source } = this.feed;
    this.timers = [
      setInterval(() => this.beat(), limits.heartbeatMs),
      setInterval(() => {
        if (!source.connected) void this.compare();
      }, limits.pollMs),
    ];
    for (const timer of this.timers) timer.unref();
    source.onConnect(() => void this.renewAll());
  }

  /** Says goodbye to every client. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    for (const timer of this.timers) clearInterval(timer);
    const closed = [...this.connections].map((ws) => new Promise<void>((resolve) => ws.once('close', () => resolve())));
    for (const view of this.views) view.socket.end(CLOSE.goingAway, 'the service is stopping', GOODBYE_MS);
    await Promise.all(closed);
  }

  /** Takes in a socket that has just been opened. */
  open(ws: WebSocket): LiveView {
    const view = new LiveView(new LiveSocket(ws));
    this.views.add(view);
    this.connections.add(ws);
    ws.once('close', () => this.connections.delete(ws));
    view.socket.whenEnded(() => {
      this.views.delete(view);
      for (const watches of view.watches) watches.clear();
    });
    return view;
  }

  /** An empty list of watched jobs for a view; it ends with the view. */
  watchesFor(view: LiveView, rules: WatchRules): JobWatches {
    const watches = new JobWatches(view.socket, this.feed, rules);
    view.watches.push(watches);
    return watches;
  }

  /** A heartbeat to every client; then finds what was missed. */
  beat(): void {
    for (const view of this.views) view.socket.beat();
    void this.compare();
  }

  /** Compares what the clients know with the versions in the store. */
  private async compare(): Promise<void> {
    if (this.comparing) return;
    this.comparing = true;
    try {
      const watchers = this.watchers();
      const jobIds = [...watchers.keys()];
      for (let from = 0; from < jobIds.length; from += COMPARE_AT_ONCE) {
        const some = jobIds.slice(from, from + COMPARE_AT_ONCE);
        const versions = await this.feed.reader.versions(some);
        if (versions === null) return;
        for (const jobId of some) {
          for (const each of watchers.get(jobId) ?? []) each.onStoredVersion(jobId, versions.get(jobId) ?? null);
        }
      }
    } finally {
      this.comparing = false;
    }
  }

  private watchers(): Map<string, JobWatches[]> {
    const watchers = new Map<string, JobWatches[]>();
    for (const view of this.views) {
      for (const watches of view.watches) {
        for (const jobId of watches.jobIds()) {
          const known = watchers.get(jobId);
          if (known) known.push(watches);
          else watchers.set(jobId, [watches]);
        }
      }
    }
    return watchers;
  }

  private async renewAll(): Promise<void> {
    await this.feed.source.inForce();
    for (const view of this.views) for (const watches of view.watches) watches.renew();
  }
}
