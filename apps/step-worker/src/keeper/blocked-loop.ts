import type { Logger } from '#shared/runtime/logger';
import type { TurnSlotReader, WatchedStep, WatchedTurn } from './turn-slots';

/** A loop that stands still for longer is worth a line. */
const COMPLAIN_AFTER_MS = 1_000;
const LONGEST_SILENCE_MS = 60_000;
/** Of leases: longer than the main thread can have taken itself for awake. */
const SLEPT_LEASES = 1.5;
/** So many steps are named in a line. */
const MOST_NAMED = 10;

/** A turn that has begun a step. */
export type BegunTurn = WatchedTurn & { readonly step: WatchedStep };

export interface BlockedLoopDeps {
  readonly slots: Pick<TurnSlotReader, 'turns' | 'holds'>;
  readonly ackWaitMs: number;
  readonly leaseMs: number;
  readonly stuckAfterMs: number;
  /** Which store deliveries come from now. */
  readonly store: () => number;
  /** Holds off the redelivery of what has this reply subject. */
  readonly sayWorking: (reply: string) => void;
  /** Records that these run. @returns whether it is done; else it is asked again. Never rejects */
  readonly record: (turns: readonly BegunTurn[]) => Promise<boolean>;
  /** Acknowledges cancels for this worker, but those of the named jobs. Never rejects */
  readonly acknowledgeCancels: (atWork: readonly string[]) => Promise<void>;
  /** Ends the process at once: nothing less ends a step that blocks the loop. */
  readonly die: () => void;
  readonly log: Pick<Logger, 'warn' | 'fatal'>;
}

/**
 * Does for a main thread whose loop stands still what that cannot do: says that its turns are at work, records that
 * their steps run (the sweep would take them for lost), acknowledges cancels of jobs that it has nothing of, tells the
 * operator who is at it, and ends what is past all limits. While the loop turns it does nothing: answers of one delivery over two connections have no order.
 */
export class BlockedLoop {
  private stoodMs = 0;
  private complainAtMs = COMPLAIN_AFTER_MS;
  private readonly saidAtMs = new Map<string, number>();
  private readonly told = new Set<string>();
  private acknowledging = false;

  constructor(private readonly deps: BlockedLoopDeps) {}

  /** @param stoodMs for how long the loop has stood still; 0: it turns */
  look(stoodMs: number, nowMs: number): void {
    if (stoodMs === 0) return this.turnsAgain();
    this.stoodMs = stoodMs;
    const turns = [...this.deps.slots.turns()];
    this.sayWorking(turns, nowMs);
    if (stoodMs < COMPLAIN_AFTER_MS) return;
    const begun = turns.filter((turn): turn is BegunTurn => turn.step !== null);
    this.record(begun);
    this.acknowledge(turns);
    const running = begun.filter(({ step }) => step.runs);
    if (stoodMs >= this.complainAtMs) this.complain(running, nowMs);
    this.endStuck(running, nowMs);
  }

  private turnsAgain(): void {
    if (this.stoodMs >= COMPLAIN_AFTER_MS) {
      this.deps.log.warn({ blocked_ms: Math.round(this.stoodMs) }, 'the event loop turns again');
    }
    this.stoodMs = 0;
    this.complainAtMs = COMPLAIN_AFTER_MS;
    this.saidAtMs.clear();
    this.told.clear();
  }

  private sayWorking(turns: readonly WatchedTurn[], nowMs: number): void {
    const everyMs = this.deps.ackWaitMs / 3;
    const store = this.deps.store();
    for (const turn of turns) {
      // A reply subject of a store that was lost names another message by now.
      if (turn.store !== store || nowMs - (this.saidAtMs.get(turn.reply) ?? turn.takenAtMs) < everyMs) continue;
      if (!this.deps.slots.holds(turn)) continue;
      this.saidAtMs.set(turn.reply, nowMs);
      this.deps.sayWorking(turn.reply);
    }
  }

  private record(begun: readonly BegunTurn[]): void {
    const unrecorded = begun.filter(({ step, reply }) => step.unrecorded && !this.told.has(reply));
    if (unrecorded.length === 0) return;
    for (const { reply } of unrecorded) this.told.add(reply);
    void this.deps.record(unrecorded).then((done) => {
      for (const { reply } of done ? [] : unrecorded) this.told.delete(reply);
    });
  }

  /**
   * Nobody's cancel waits for this loop. By now the main thread has slept through a lease: when it wakes up, it reads
   * before it begins anything that was opened before (`WorkerLease.current`), so what is in no slot never begins unread.
   */
  private acknowledge(turns: readonly WatchedTurn[]): void {
    if (this.stoodMs < this.deps.leaseMs * SLEPT_LEASES || this.acknowledging) return;
    this.acknowledging = true;
    void this.deps.acknowledgeCancels(turns.map(({ jobId }) => jobId)).then(() => (this.acknowledging = false));
  }

  private complain(running: readonly BegunTurn[], nowMs: number): void {
    this.complainAtMs = this.stoodMs + Math.min(this.stoodMs, LONGEST_SILENCE_MS);
    const latestFirst = running.toSorted((a, b) => b.step.startedAtMs - a.step.startedAtMs);
    const steps = latestFirst.slice(0, MOST_NAMED).map(({ jobId: job, step }) => ({
      ...{ step: step.name, handler: step.handler, job, for_ms: Math.round(nowMs - step.startedAtMs) },
    }));
    this.deps.log.warn(
      { blocked_ms: Math.round(this.stoodMs), running: running.length, steps },
      'the event loop is blocked: a handler computes or waits without yielding; let it yield, or give it a process of its own',
    );
  }

  private endStuck(running: readonly BegunTurn[], nowMs: number): void {
    const stuck = running.find(
      ({ step }) => step.timeoutMs !== null && nowMs - step.startedAtMs > step.timeoutMs + this.deps.stuckAfterMs,
    );
    if (!stuck) return;
    const { name: step, handler } = stuck.step;
    this.deps.log.fatal(
      { step, handler, job: stuck.jobId, blocked_ms: Math.round(this.stoodMs) },
      'the event loop is blocked long after a step has timed out and cannot be told: this worker ends with it',
    );
    this.deps.die();
  }
}
