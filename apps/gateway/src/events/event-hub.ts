import type { BatchListener, EventSource } from './event-source';

interface Channel {
  readonly stop: () => void;
  readonly listeners: Set<BatchListener>;
}

/** One subscription a job, however many sockets watch it; ended with the last of them. */
export class EventHub {
  private readonly channels = new Map<string, Channel>();

  constructor(private readonly source: EventSource) {}

  /** Channels that are open now. */
  get size(): number {
    return this.channels.size;
  }

  /** Passes on the batches of one job, or with ALL_JOBS of all, until the answer is called. */
  listen(scope: string, listener: BatchListener): () => void {
    const channel = this.channels.get(scope) ?? this.open(scope);
    channel.listeners.add(listener);
    return () => {
      if (!channel.listeners.delete(listener) || channel.listeners.size > 0) return;
      this.channels.delete(scope);
      channel.stop();
    };
  }

  private open(scope: string): Channel {
    const listeners = new Set<BatchListener>();
    const stop = this.source.subscribe(scope, (batch) => {
      for (const listener of listeners) listener(batch);
    });
    const channel = { stop, listeners };
    this.channels.set(scope, channel);
    return channel;
  }
}
