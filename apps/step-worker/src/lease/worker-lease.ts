import { randomUUID } from 'node:crypto';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import type { WorkerDescription, WorkerLoad, WorkerRegistry } from '#shared/store/worker-registry';
import type { DatabaseClock } from './database-clock';

/** One life of a worker, from a registration to the loss of its lease. */
export class Incarnation {
  constructor(
    readonly id: string,
    private readFrom: Micros,
    private deadlineMs: number,
  ) {}

  /**
   * Database time of the registration, or of the newest cancel that was forgotten: a message opened before it may have
   * been cancelled unseen, and is read.
   */
  get horizon(): Micros {
    return this.readFrom;
  }

  raiseHorizon(to: Micros): void {
    this.readFrom = Math.max(this.readFrom, to);
  }

  /** Whether the lease still runs, by the monotonic clock, counted from before its renewal was sent. */
  isValid(): boolean {
    return performance.now() < this.deadlineMs;
  }

  extendTo(deadlineMs: number): void {
    this.deadlineMs = deadlineMs;
  }

  end(): void {
    this.deadlineMs = 0;
  }
}

export interface LeaseOptions {
  readonly leaseMs: number;
  readonly worker: Omit<WorkerDescription, 'id'>;
  readonly load: () => WorkerLoad;
  /** After each renewal: time to hand back rows that this worker's memory does not know. */
  readonly renewed: (incarnation: Incarnation) => Promise<void>;
}

/**
 * Keeps this worker's lease. A lease that was lost is never taken up again: the worker goes on as a new incarnation, and
 * whatever it had been granted under the old one it must claim before it begins.
 */
export class WorkerLease {
  private incarnation = new Incarnation('', 0, 0);
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly ownIds = new Set<string>();

  constructor(
    private readonly registry: WorkerRegistry,
    private readonly clock: DatabaseClock,
    private readonly log: Logger,
    private readonly options: LeaseOptions,
  ) {}

  /** The incarnation that grants begins now. */
  get current(): Incarnation {
    return this.incarnation;
  }

  /** Whether an id is, or was, this worker's. */
  isOwn(id: string): boolean {
    return this.ownIds.has(id);
  }

  /** Registers, trying again until the database answers, then renews five times a lease. */
  async start(): Promise<void> {
    while (!this.stopped && !(await this.register())) await this.pause(this.options.leaseMs / 10);
    this.schedule();
  }

  /** Ends the lease: what is still recorded as running here may be taken by others at once. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const { id } = this.incarnation;
    this.incarnation.end();
    if (id !== '') await this.registry.remove(id);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.tick(), this.options.leaseMs / 5);
  }

  private async tick(): Promise<void> {
    try {
      if (await this.renew()) await this.options.renewed(this.incarnation);
      else await this.register();
    } catch (error) {
      this.log.warn({ err: error }, 'the lease could not be renewed: the database does not answer');
    }
    this.schedule();
  }

  private async renew(): Promise<boolean> {
    if (!this.incarnation.isValid()) return false;
    const sentAtMs = performance.now();
    const now = await this.registry.renew(this.incarnation.id, this.options.leaseMs, this.options.load());
    if (now === null || !this.incarnation.isValid()) return false;
    this.clock.set(now, sentAtMs);
    this.incarnation.extendTo(sentAtMs + this.options.leaseMs);
    return true;
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
