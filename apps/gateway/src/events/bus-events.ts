import { subscribeEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import { type LiveEventBatch, liveEventBatch } from '#shared/contracts/live-event';
import type { Logger } from '#shared/runtime/logger';
import type { BatchListener, EventSource } from './event-source';

const IN_FORCE_LIMIT_MS = 2_000;

/** Live events from NATS. What is not a batch of the job that its subject names is counted and dropped. */
export class BusEvents implements EventSource {
  private garbage = 0;
  private settling: Promise<void> | null = null;

  constructor(
    private readonly bus: NatsBus,
    private readonly log: Logger,
  ) {}

  get connected(): boolean {
    return this.bus.isConnected;
  }

  /** Messages dropped so far because they were not what their subject says. */
  get garbageCount(): number {
    return this.garbage;
  }

  subscribe(scope: string, onBatch: BatchListener): () => void {
    return subscribeEvents(this.bus, scope, (jobId, payload) => {
      const batch = this.parse(jobId, payload);
      if (batch) onBatch(batch);
    });
  }

  /** The server answers in order: once it has answered, it has taken in what was asked before. One ask serves many. */
  inForce(): Promise<void> {
    if (!this.bus.isConnected) return Promise.resolve();
    this.settling ??= Promise.resolve().then(() => this.settle());
    return this.settling;
  }

  onConnect(listener: () => void): void {
    this.bus.onConnect(listener);
  }

  private async settle(): Promise<void> {
    this.settling = null;
    try {
      await this.bus.ping(IN_FORCE_LIMIT_MS);
    } catch (error) {
      this.log.debug({ err: error }, 'the bus did not say that a subscription is in force');
    }
  }

  private parse(jobId: string, payload: string): LiveEventBatch | null {
    const parsed = liveEventBatch.safeParse(parseJson(payload));
    if (parsed.success && parsed.data.job_id === jobId) return parsed.data;
    this.garbage += 1;
    // One line for the first and for each power of ten: garbage may come by the thousands.
    if (Number.isInteger(Math.log10(this.garbage))) {
      this.log.warn({ job_id: jobId.slice(0, 100), count: this.garbage }, 'an event that is none was dropped');
    }
    return null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
