import type { Priority } from '#shared/domain/status';

/** Of 16 slots that become free while all priorities have a backlog, high gets 12, default 3, low 1. */
export const PRIORITY_WEIGHTS: Readonly<Record<Priority, number>> = { high: 12, default: 3, low: 1 };

/**
 * The part of all slots that a priority may hold while a higher one has a backlog. Without it long steps of low
 * priority would gather slot after slot, one of 16 at a time, until nothing high can start.
 */
const HELD_LIMITS: Readonly<Record<Priority, number>> = { high: 1, default: 1 / 2, low: 1 / 4 };

/** How long the virtual time is between two slots of a lane: whole numbers, for exact rounds. */
const stride = (priority: Priority): number => PRIORITY_WEIGHTS.high / PRIORITY_WEIGHTS[priority];

/** What one lane (the jobs of one queue and priority) wants. */
export interface LaneDemand {
  readonly priority: Priority;
  /** Messages known to wait that nobody here has asked for. */
  readonly backlog: number;
  /** Slots that it has: asked for, or with a message in it. */
  readonly held: number;
}

/**
 * Divides free slots among lanes with a backlog: stride scheduling by weight, which remembers what each has had, so
 * that even one slot at a time goes round fairly. High first, and low never starves.
 */
export class FairShare {
  /** For each lane the virtual time at which its next slot is due. */
  private readonly due: number[];
  private now = 0;

  constructor(private readonly priorities: readonly Priority[]) {
    this.due = priorities.map((priority) => stride(priority));
  }

  /**
   * How many of the `free` slots each lane gets, of `slots` in all. Lanes are those of the constructor, in its order.
   * Never more than `free` together nor than its backlog for any, and as many as there is backlog for.
   */
  divide(free: number, slots: number, lanes: readonly LaneDemand[]): number[] {
    const grants = lanes.map(() => 0);
    const held: Record<Priority, number> = { high: 0, default: 0, low: 0 };
    for (const lane of lanes) held[lane.priority] += lane.held;
    for (let left = free; left > 0; left -= 1) {
      const chosen = this.next(slots, lanes, grants, held);
      const lane = lanes[chosen];
      if (!lane) break;
      grants[chosen] = (grants[chosen] ?? 0) + 1;
      held[lane.priority] += 1;
      this.charge(chosen);
    }
    return grants;
  }

  /** Takes back what a lane was given and could not use. */
  refund(lane: number, slots: number): void {
    this.due[lane] = (this.due[lane] ?? 0) - slots * stride(this.priorities[lane] ?? 'low');
  }

  /** The lane whose next slot is due first among those that want one and are within their limit; -1 when none is. */
  private next(
    slots: number,
    lanes: readonly LaneDemand[],
    grants: readonly number[],
    held: Readonly<Record<Priority, number>>,
  ): number {
    let highest = 0;
    for (const [i, lane] of lanes.entries()) {
      if (lane.backlog > (grants[i] ?? 0)) highest = Math.max(highest, PRIORITY_WEIGHTS[lane.priority]);
    }
    let best = -1;
    let bestDue = Infinity;
    for (const [i, lane] of lanes.entries()) {
      const granted = grants[i] ?? 0;
      if (lane.backlog <= granted) continue;
      const isHighest = PRIORITY_WEIGHTS[lane.priority] === highest;
      const hasSome = lane.held + granted > 0;
      if (!isHighest && hasSome && held[lane.priority] >= slots * HELD_LIMITS[lane.priority]) continue;
      const due = this.dueOf(i);
      if (due < bestDue) {
        best = i;
        bestDue = due;
      }
    }
    return best;
  }

  /** A lane that wanted nothing for a while gets no credit for it. */
  private dueOf(lane: number): number {
    return Math.max(this.due[lane] ?? 0, this.now);
  }

  private charge(lane: number): void {
    const due = this.dueOf(lane);
    this.now = due;
    this.due[lane] = due + stride(this.priorities[lane] ?? 'low');
  }
}
