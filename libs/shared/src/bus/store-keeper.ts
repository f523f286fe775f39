import { setTimeout as pause } from 'node:timers/promises';
import type { BusLog } from '#shared/bus/bus-log';
import { words } from '#shared/bus/connection-keeper';
import type { NatsBus } from '#shared/bus/nats-bus';
import { isSameStore, readWorkStore, type WorkStore } from '#shared/bus/work-store';

export interface StoreEvents {
  /** The stream and its consumers are there. */
  onReady(): void;
  /** It is not the store that earlier messages came from. Called before `onReady`. */
  onOtherStore(): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
const REPEAT_COMPLAINT_MS = 30_000;

/** Sees to it that there is a work stream to pull from, and notices when it is another one than before. */
export class StoreKeeper {
  private store: WorkStore | null = null;
  private highestSeq = 0;
  private running: Promise<void> | null = null;
  /** Raised by whatever makes a look that is under way worthless. */
  private reason = 0;
  private readonly closing = new AbortController();
  private complainedAtMs = -Infinity;

  constructor(
    private readonly bus: NatsBus,
    private readonly ensure: () => Promise<void>,
    private readonly log: BusLog,
    private readonly events: StoreEvents,
  ) {}

  /** A message with this number was delivered. */
  saw(streamSeq: number): void {
    if (streamSeq > this.highestSeq) this.highestSeq = streamSeq;
  }

  /** Looks at the store and mends it: after a connect, and when something of it was missing. */
  check(): void {
    this.reason += 1;
    this.running ??= this.run().finally(() => (this.running = null));
  }

  close(): void {
    this.closing.abort();
  }

  private async run(): Promise<void> {
    for (
      let pauseMs = FIRST_PAUSE_MS;
      !this.closing.signal.aborted;
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)
    ) {
      if (!this.isOnline()) return; // the next connect checks again
      const { reason } = this;
      try {
        const isThere = await this.isThere();
        if (isThere && reason === this.reason && this.isOnline()) return this.events.onReady();
      } catch (error) {
        this.complain(words(error));
      }
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: this.closing.signal }).catch(
        () => undefined,
      );
    }
  }

  private async isThere(): Promise<boolean> {
    await this.ensure();
    const now = await readWorkStore(this.bus);
    if (now === null) return false; // gone again
    if (this.store && !isSameStore(this.store, now, this.highestSeq)) {
      this.log.warn('the work stream is not the one that was there before: its store was lost');
      this.highestSeq = 0;
      this.events.onOtherStore();
    }
    this.store = now;
    return true;
  }

  private isOnline(): boolean {
    return this.bus.isConnected;
  }

  private complain(reason: string): void {
    if (performance.now() - this.complainedAtMs < REPEAT_COMPLAINT_MS) return;
    this.complainedAtMs = performance.now();
    this.log.error(`no work can be pulled: ${reason}; trying on`);
  }
}
