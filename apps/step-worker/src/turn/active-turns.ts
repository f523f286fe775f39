import { guardHolds } from '#shared/runtime/failpoints';
import { NO_SLOT, TurnSlots } from '../keeper/turn-slots';
import type { ActiveTurn } from './active-turn';

/** They hold slots while they wait, so that only a few may. */
const MOST_SUSPECTS_WAITING = 16;

/** This worker's memory: the turns that it has. */
export class ActiveTurns {
  private readonly byKey = new Map<string, ActiveTurn>();
  private suspects = 0;
  private readonly suspectWaiters: ((go: boolean) => void)[] = [];
  private waiters: (() => void)[] = [];

  /** @param slots where the keeper thread sees them; left out, it does not */
  constructor(private readonly slots = new TurnSlots(0)) {}

  get size(): number {
    return this.byKey.size;
  }

  /** @returns false when a copy of the turn is at work already */
  add(turn: ActiveTurn): boolean {
    if (this.byKey.has(turn.key)) return false;
    this.byKey.set(turn.key, turn);
    const { delivery, message } = turn;
    turn.slot = this.slots.take(delivery.reply, delivery.store, message.job_id, turn.startedAtMs);
    return true;
  }

  delete(turn: ActiveTurn): void {
    this.byKey.delete(turn.key);
    this.slots.give(turn.slot);
    turn.slot = NO_SLOT;
    if (this.byKey.size > 0) return;
    for (const resolve of this.waiters) resolve();
    this.waiters = [];
  }

  /** Whether any turn here has the step at work, its claim and its settlement included. */
  knows(jobId: string, idx: number, but?: ActiveTurn): boolean {
    for (const turn of this.byKey.values()) {
      if (turn === but || turn.message.job_id !== jobId) continue;
      if (turn.current === undefined || turn.current.idx === idx || turn.unrecorded.some((step) => step.idx === idx)) {
        return true;
      }
    }
    return false;
  }

  hasJob(jobId: string): boolean {
    for (const turn of this.byKey.values()) if (turn.message.job_id === jobId) return true;
    return false;
  }

  /** At most one step that has crashed a worker runs at a time: if it does so again, no other is blamed. */
  mayTakeSuspect(): boolean {
    return this.suspects === 0 || !guardHolds('worker.suspects_apart');
  }

  setSuspect(turn: ActiveTurn, suspect: boolean): void {
    if (turn.suspect === suspect) return;
    turn.suspect = suspect;
    this.suspects += suspect ? 1 : -1;
  }

  /**
   * Waits until no suspect runs here any more. One waiter goes on at a time.
   * @returns false when too many wait already, or the waiting was given up
   */
  async waitForSuspect(): Promise<boolean> {
    if (this.mayTakeSuspect()) return true;
    if (this.suspectWaiters.length >= MOST_SUSPECTS_WAITING) return false;
    return new Promise((resolve) => this.suspectWaiters.push(resolve));
  }

  /** Lets the next waiter go on, unless a suspect runs. Called whenever a turn has ended: so no waiter is forgotten. */
  wakeWaiter(): void {
    if (this.mayTakeSuspect()) this.suspectWaiters.shift()?.(true);
  }

  /** Sends all waiters away: the worker drains. */
  giveUpWaiting(): void {
    for (const go of this.suspectWaiters.splice(0)) go(false);
  }

  all(): IterableIterator<ActiveTurn> {
    return this.byKey.values();
  }

  /** Resolves when there is none. */
  async none(): Promise<void> {
    if (this.byKey.size > 0) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }
}
