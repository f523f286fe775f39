import { randomUUID } from 'node:crypto';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import type { WorkerDescription, WorkerRegistry } from '#shared/store/worker-registry';
import type { Keeper } from '../keeper/keeper';
import type { Renewed } from '../keeper/keeper-messages';
import { SharedDeadline } from '../keeper/shared-deadline';
import type { DatabaseClock } from './database-clock';

const TRIES_A_LEASE = 5;
/** What our idea of the database's time may be off by, in microseconds. Reading more than is needed harms nothing. */
const CLOCK_MARGIN = 1_000_000;

/** One unbroken time of a worker: it has a lease, and its loop has not slept for as long as one. */
export class Incarnation {
  private readonly deadline: SharedDeadline;

  /**
   * @param horizon a message opened before this database time may have been cancelled, or begun by others, unseen by us:
   * it is read
   * @param awakeUntilMs how long the lease runs by the last renewal that this thread has heard of
   */
  constructor(
    readonly id: string,
    private readFrom: Micros,
    private awakeUntilMs: number,
    deadline?: SharedDeadline,
  ) {
    this.deadline = deadline ?? SharedDeadline.at(awakeUntilMs);
  }

  get horizon(): Micros {
    return this.readFrom;
  }

  /** Cancels up to this time were forgotten: a message opened before it may have been cancelled, unknown to us. */
  raiseHorizon(to: Micros): void {
    this.readFrom = Math.max(this.readFrom, to);
  }

  /** Whether the lease still runs, by the monotonic clock, counted from before its renewal was sent. */
  isValid(nowMs = performance.now()): boolean {
    return nowMs < this.awakeUntilMs || !this.deadline.isOver(nowMs);
  }

  /** Whether no renewal was heard of in time, though there were some: the loop stood still, or was kept from turning. */
  hasSlept(nowMs: number): boolean {
    return nowMs >= this.awakeUntilMs && !this.deadline.isOver(nowMs);
  }

  /** The same lease after a sleep: nothing that was granted before it holds. */
  awakened(horizon: Micros): Incarnation {
    return new Incarnation(this.id, horizon, this.deadline.ms, this.deadline);
  }

  /** A renewal was heard of. */
  heard(deadlineMs: number): void {
    if (this.awakeUntilMs !== 0) this.awakeUntilMs = Math.max(this.awakeUntilMs, deadlineMs);
  }

  end(): void {
    this.awakeUntilMs = 0;
    this.deadline.end();
  }

  /** Has the keeper renew it from now on. */
  keptBy(keeper: Keeper): void {
    keeper.keep(this.id, this.deadline);
  }
}

export interface LeaseOptions {
  readonly leaseMs: number;
  readonly worker: Omit<WorkerDescription, 'id'>;
  /** After a renewal, one at a time: time to hand back rows that this worker's memory does not know. */
  readonly renewed: (incarnation: Incarnation) => Promise<void>;
}

/**
 * This worker's lease, which a thread of its own keeps. One that was lost is never taken up again: the worker goes on as
 * a new incarnation, and whatever it had been granted under the old one it must claim before it begins.
 *
 * The same holds when the thread has kept the lease and this one slept through it, as in a handler that computes for
 * minutes: the rows are still ours, but what was delivered before may have been delivered to others since, and what is
 * still to be published may have been taken for lost. So the incarnation is another one, under the same id.
 */
export class WorkerLease {
  /** Workers that were alive at the last renewal, this one included. */
  workersAlive = 1;
  private incarnation = new Incarnation('', 0, 0);
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private tellingRenewed = false;
  private readonly ownIds = new Set<string>();

  constructor(
    private readonly registry: WorkerRegistry,
    private readonly clock: DatabaseClock,
    private readonly log: Logger,
    private readonly keeper: Keeper,
    private readonly options: LeaseOptions,
  ) {}

  /** The incarnation that grants begins now. */
  get current(): Incarnation {
    const nowMs = performance.now();
    if (this.incarnation.hasSlept(nowMs)) {
      this.log.info({ worker: this.incarnation.id }, 'slept through a lease: what was granted before is claimed');
      this.incarnation = this.incarnation.awakened(this.clock.now() + CLOCK_MARGIN);
    }
    return this.incarnation;
  }

  /** Whether an id is, or was, this worker's. */
  isOwn(id: string): boolean {
    return this.ownIds.has(id);
  }

  /** Registers, trying again until the database answers. */
  async start(): Promise<void> {
    while (!this.stopped && !(await this.register())) await this.pause(this.options.leaseMs / TRIES_A_LEASE);
  }

  /** Ends the lease: what is still recorded as running here may be taken by others at once. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const { id } = this.incarnation;
    this.incarnation.end();
    if (id !== '') await this.registry.remove(id);
  }

  /** The keeper has renewed it. */
  renewed({ worker, databaseTime, askedAtMs, answeredAtMs, workersAlive }: Renewed): void {
    // Asked first: this news must not hide that the loop has slept.
    const { current } = this;
    if (this.stopped || worker !== current.id) return;
    current.heard(askedAtMs + this.options.leaseMs);
    this.clock.set(databaseTime, askedAtMs, answeredAtMs);
    this.workersAlive = workersAlive;
    if (!this.tellingRenewed) void this.tellRenewed(current);
  }

  /** The keeper has found that it is over. */
  lost(worker: string): void {
    if (!this.stopped && worker === this.incarnation.id) void this.start();
  }

  private async tellRenewed(incarnation: Incarnation): Promise<void> {
    this.tellingRenewed = true;
    try {
      await this.options.renewed(incarnation);
    } catch (error) {
      this.log.warn({ err: error }, 'what follows a renewal of the lease failed: it is done again at the next');
    } finally {
      this.tellingRenewed = false;
    }
  }

  private async register(): Promise<boolean> {
    const lost = this.incarnation.id;
    this.incarnation.end();
    const { worker, leaseMs } = this.options;
    const id = `${worker.name}-${randomUUID().slice(0, 8)}`;
    const sentAtMs = performance.now();
    try {
      const now = await this.registry.register({ id, ...worker }, leaseMs);
      this.clock.set(now, sentAtMs);
      this.ownIds.add(id);
      this.incarnation = new Incarnation(id, now, sentAtMs + leaseMs);
      this.incarnation.keptBy(this.keeper);
      if (lost === '') this.log.info({ worker: id }, 'registered');
      else this.log.warn({ worker: id, before: lost }, 'the lease was lost: registered anew');
      return true;
    } catch (error) {
      this.log.warn({ err: error }, 'cannot register with the database: trying again');
      return false;
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.timer = setTimeout(resolve, ms);
    });
  }
}
