import type { Priority } from '#shared/domain/status';
import { FairShare } from '#shared/bus/fair-share';

/** What is known of one lane, the jobs of one queue and priority, when pulls are planned. */
export interface LaneState {
  readonly priority: Priority;
  /** Messages known to wait that were not asked for. */
  readonly backlog: number;
  /** Slots that it has: asked for, or with a message in it. */
  readonly held: number;
  /** Messages that its waiting pull may still bring; 0 = none waits. */
  readonly waiting: number;
  /** Its immediate pull is not answered yet. */
  readonly fetching: boolean;
  /** Nothing may be asked of it now. */
  readonly blocked: boolean;
  /** It was not looked at for a while, by an immediate pull or a waiting one. */
  readonly stale: boolean;
}

export interface LanePull {
  readonly lane: number;
  /** `fetch` takes what is there and ends; `wait` stays until it is used up or `expiresMs` are over. */
  readonly kind: 'fetch' | 'wait';
  readonly batch: number;
  readonly expiresMs: number;
}

const WAIT_MS = 1_000;
const MAX_WAITING = 16;
/** While work is known to wait elsewhere, at most this part of the slots stands by at lanes that may have none. */
const STAND_BY_PART = 4;
/** With fewer free slots than lanes, a round of all lanes takes about this long. */
const ROUND_MS = 150;
const SHORTEST_WAIT_MS = 10;
const LONGEST_TURN_MS = 50;

/**
 * Decides what to ask of which lane with the slots that are free, and never for more than those.
 *
 * While nothing is known to wait, a pull waits at every lane, so that whatever comes is delivered at once. While a lane
 * is known to have a backlog, it is fetched from in whole batches, by fair share; the others keep one waiting pull
 * each, out of a quarter of the slots, or where that is too little are looked at now and then.
 */
export class PullPlanner {
  private readonly share: FairShare;
  private readonly order: readonly number[];
  private cursor = 0;

  constructor(
    private readonly slots: number,
    priorities: readonly Priority[],
  ) {
    this.share = new FairShare(priorities);
    const rank: Record<Priority, number> = { high: 0, default: 1, low: 2 };
    this.order = priorities.map((_, lane) => lane).sort((a, b) => rankOf(a) - rankOf(b));
    function rankOf(lane: number): number {
      return rank[priorities[lane] ?? 'low'];
    }
  }

  /** The pulls to send now; lanes as in the constructor. */
  plan(free: number, lanes: readonly LaneState[]): LanePull[] {
    if (free <= 0) return [];
    const loaded = lanes.some((lane) => !lane.blocked && (lane.backlog > 0 || lane.fetching));
    return loaded ? this.planLoaded(free, lanes) : this.planIdle(free, lanes);
  }

  private planIdle(free: number, lanes: readonly LaneState[]): LanePull[] {
    const open = lanes.filter((lane) => !lane.blocked).length;
    const needy = this.order.filter((lane) => isNeedy(lanes[lane]));
    if (needy.length === 0) return [];
    if (free < needy.length) return this.planRotation(free, needy, open);
    const most = Math.min(MAX_WAITING, Math.max(1, Math.floor(this.slots / (2 * open))));
    const batch = Math.min(most, Math.floor(free / needy.length));
    return needy.map((lane) => ({ lane, kind: 'wait', batch, expiresMs: WAIT_MS }));
  }

  private planRotation(free: number, needy: readonly number[], open: number): LanePull[] {
    const expiresMs = Math.min(LONGEST_TURN_MS, Math.max(SHORTEST_WAIT_MS, Math.round(ROUND_MS / open)));
    const from = needy.findIndex((lane) => this.order.indexOf(lane) >= this.cursor);
    const turned = [...needy.slice(Math.max(0, from)), ...needy.slice(0, Math.max(0, from))];
    const chosen = turned.slice(0, free);
    this.cursor = this.order.indexOf(chosen[chosen.length - 1] ?? 0) + 1;
    return chosen.map((lane) => ({ lane, kind: 'wait', batch: 1, expiresMs }));
  }

  private planLoaded(free: number, lanes: readonly LaneState[]): LanePull[] {
    const pulls: LanePull[] = [];
    let left = free;
    let standBy = Math.floor(this.slots / STAND_BY_PART);
    for (const lane of lanes) standBy -= lane.waiting;
    for (const lane of this.order) {
      const state = lanes[lane];
      if (left === 0) break;
      if (!state || !isNeedy(state) || state.backlog > 0 || state.fetching) continue;
      if (standBy > 0) pulls.push({ lane, kind: 'wait', batch: 1, expiresMs: WAIT_MS });
      else if (state.stale) pulls.push({ lane, kind: 'fetch', batch: 1, expiresMs: 0 });
      else continue;
      standBy -= 1;
      left -= 1;
    }
    return [...pulls, ...this.planFetches(left, lanes)];
  }

  /** A lane whose fetch is under way keeps its share of the slots free until that is answered: a moment. */
  private planFetches(free: number, lanes: readonly LaneState[]): LanePull[] {
    const demands = lanes.map((lane) => (lane.blocked ? { ...lane, backlog: 0 } : lane));
    const pulls: LanePull[] = [];
    this.share.divide(free, this.slots, demands).forEach((batch, lane) => {
      if (batch === 0) return;
      if (lanes[lane]?.fetching) this.share.refund(lane, batch);
      else pulls.push({ lane, kind: 'fetch', batch, expiresMs: 0 });
    });
    return pulls;
  }
}

const isNeedy = (lane: LaneState | undefined): boolean => lane !== undefined && !lane.blocked && lane.waiting === 0;
