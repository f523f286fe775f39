import type { Logger } from '#shared/runtime/logger';
import type { Renewal } from '#shared/store/worker-registry';
import type { FromKeeper } from './keeper-messages';
import { SharedDeadline } from './shared-deadline';

const RENEWALS_A_LEASE = 5;

export interface LeaseRenewalDeps {
  readonly leaseMs: number;
  /** Asks the database; null: the lease is over. */
  readonly renew: (worker: string) => Promise<Renewal | null>;
  readonly tell: (message: FromKeeper) => void;
  /** The main thread's clock. */
  readonly now: () => number;
  readonly log: Pick<Logger, 'warn'>;
}

interface Held {
  readonly worker: string;
  readonly deadline: SharedDeadline;
  asking: boolean;
}

/** Renews the lease that it was given, five times a lease, until it is over; then says so and never asks for it again. */
export class LeaseRenewal {
  private held: Held | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly deps: LeaseRenewalDeps) {}

  /** Keeps this lease and forgets any other. */
  keep(worker: string, deadline: SharedArrayBuffer): void {
    this.held = { worker, deadline: new SharedDeadline(deadline), asking: false };
    this.timer ??= setInterval(() => void this.look(), this.deps.leaseMs / RENEWALS_A_LEASE);
  }

  stop(): void {
    clearInterval(this.timer);
    this.held = undefined;
  }

  /** Renews once, unless that is under way. */
  async look(): Promise<void> {
    const { held } = this;
    if (!held) return;
    const askedAtMs = this.deps.now();
    // Also while an answer is waited for: the main thread need not wait for it to begin anew.
    if (held.deadline.isOver(askedAtMs)) return this.lose(held);
    if (held.asking) return;
    held.asking = true;
    try {
      const renewal = await this.deps.renew(held.worker);
      if (held === this.held) this.answered(held, renewal, askedAtMs);
    } catch (error) {
      this.deps.log.warn({ err: error }, 'the lease could not be renewed: the database does not answer');
    } finally {
      held.asking = false;
    }
  }

  private answered(held: Held, renewal: Renewal | null, askedAtMs: number): void {
    const answeredAtMs = this.deps.now();
    // It counts from before the question was sent: the database's own count began later.
    if (renewal === null || !held.deadline.extend(askedAtMs + this.deps.leaseMs, answeredAtMs)) return this.lose(held);
    const { now: databaseTime, workersAlive } = renewal;
    this.deps.tell({ kind: 'renewed', worker: held.worker, databaseTime, askedAtMs, answeredAtMs, workersAlive });
  }

  private lose(held: Held): void {
    held.deadline.end();
    this.held = undefined;
    this.deps.tell({ kind: 'lost', worker: held.worker });
  }
}
