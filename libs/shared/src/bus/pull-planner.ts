import type { Priority } from '#shared/domain/status';
import { FairShare, PRIORITY_WEIGHTS } from '#shared/bus/fair-share';

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
  /** Since a pull has last shown whether it has messages. */
  readonly unseenMs: number;
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
/** How often lanes of higher, equal and lower priority are looked at while work is known to wait elsewhere. */
const LOOK_HIGHER_MS = 20;
const LOOK_EQUAL_MS = 50;
const LOOK_LOWER_MS = 200;
/** With fewer free slots than lanes, a round of all lanes takes about this long. */
const ROUND_MS = 150;
const SHORTEST_WAIT_MS = 10;
const LONGEST_TURN_MS = 50;

/**
 * Decides what to ask of which lane with the slots that are free, and never for more than those.
 *
 * While nothing is known to wait, a pull waits at every lane, so that whatever comes is delivered at once. While a lane
 * is known to have a backlog, no slot stands by idle: it is fetched from in whole batches, by fair share, and the others
 * are looked at now and then with a slot that has just become free.
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
    const loaded = lanes.some(isBusy);
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
    let highest = 0;
    for (const lane of lanes) if (isBusy(lane)) highest = Math.max(highest, PRIORITY_WEIGHTS[lane.priority]);
    const looks = this.order
      .filter((lane) => isDueForLook(lanes[lane], highest))
      .slice(0, free)
      .map((lane): LanePull => ({ lane, kind: 'fetch', batch: 1, expiresMs: 0 }));
    return [...looks, ...this.planFetches(free - looks.length, lanes)];
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

/** Its backlog is known, or was a moment ago. */
const isBusy = (lane: LaneState): boolean => !lane.blocked && (lane.backlog > 0 || lane.fetching);

function isDueForLook(lane: LaneState | undefined, highestBusy: number): boolean {
  if (!lane || !isNeedy(lane) || isBusy(lane)) return false;
  const lead = Math.sign(PRIORITY_WEIGHTS[lane.priority] - highestBusy);
  return lane.unseenMs >= (lead > 0 ? LOOK_HIGHER_MS : lead === 0 ? LOOK_EQUAL_MS : LOOK_LOWER_MS);
}

const isNeedy = (lane: LaneState | undefined): boolean => lane !== undefined && !lane.blocked && lane.waiting === 0;
