import type { Msg } from 'nats';
import { WORK_STREAM, workConsumer } from '#shared/contracts/subjects';
import type { Priority } from '#shared/domain/status';
import type { NatsBus } from '#shared/bus/nats-bus';
import { PullChannel } from '#shared/bus/pull-channel';
import type { LanePull, LaneState } from '#shared/bus/pull-planner';
import type { PullStatus } from '#shared/bus/pull-status';

export interface LaneEvents {
  onMessage(lane: WorkLane, message: Msg, asked: boolean): void;
  onEnd(status: PullStatus): void;
  /** Said once for a row of refusals. */
  onRefusal(lane: WorkLane, reason: string): void;
}

const LONGEST_REST_TICKS = 15;

/** The jobs of one queue and priority as a worker sees them: what it asked for and what it knows to be there. */
export class WorkLane implements LaneState {
  /** Slots with a message of this lane in them. */
  busy = 0;
  /** Undelivered messages when the last one was delivered. */
  private undelivered = 0;
  private seenAtMs = -Infinity;
  private restTicks = 0;
  private failures = 0;
  private isMissing = false;
  private readonly fetches: PullChannel;
  private readonly waits: PullChannel;

  constructor(
    bus: NatsBus,
    inbox: string,
    readonly queue: string,
    readonly priority: Priority,
    private readonly events: LaneEvents,
  ) {
    const both = {
      onMessage: (message: Msg, asked: boolean) => this.events.onMessage(this, message, asked),
      onEnd: (status: PullStatus) => this.onEnd(status),
    };
    const consumer = workConsumer(queue, priority);
    this.fetches = new PullChannel(bus, `${inbox}.f`, WORK_STREAM, consumer, both);
    this.waits = new PullChannel(bus, `${inbox}.w`, WORK_STREAM, consumer, both);
  }

  get asked(): number {
    return this.fetches.asked + this.waits.asked;
  }

  get held(): number {
    return this.busy + this.asked;
  }

  get waiting(): number {
    return this.waits.asked;
  }

  get fetching(): boolean {
    return this.fetches.asked > 0;
  }

  get backlog(): number {
    return Math.max(0, this.undelivered - this.asked);
  }

  get blocked(): boolean {
    return this.isMissing || this.restTicks > 0;
  }

  get unseenMs(): number {
    return performance.now() - this.seenAtMs;
  }

  open(): void {
    this.fetches.open();
    this.waits.open();
  }

  pull({ kind, batch, expiresMs }: LanePull): void {
    if (kind === 'fetch') this.fetches.fetch(batch);
    else this.waits.wait(batch, expiresMs);
  }

  /** A message has said how many more there are. */
  learn(undelivered: number): void {
    this.undelivered = undelivered;
    this.failures = 0;
  }

  tick(): void {
    if (this.restTicks > 0) this.restTicks -= 1;
    this.fetches.tick();
    this.waits.tick();
  }

  /** A fresh start on a new connection, or once what was missing is there again. */
  reset(): void {
    this.fetches.reset();
    this.waits.reset();
    this.revive();
  }

  revive(): void {
    this.isMissing = false;
    this.restTicks = 0;
    this.undelivered = 0;
  }

  async close(): Promise<void> {
    await Promise.all([this.fetches.close(), this.waits.close()]);
  }

  private onEnd(status: PullStatus): void {
    this.undelivered = 0;
    this.seenAtMs = performance.now();
    switch (status.kind) {
      case 'used_up':
      case 'going_on':
        this.failures = 0;
        break;
      case 'missing':
      case 'lost':
        this.isMissing = true;
        break;
      case 'refused':
        this.restTicks = Math.min(LONGEST_REST_TICKS, 2 ** this.failures);
        this.failures += 1;
        if (this.failures === 1) this.events.onRefusal(this, status.reason);
        break;
    }
    this.events.onEnd(status);
  }
}
