import type { Choices } from './choices';

/** A process of the simulation. What it does happens in events of its own, one after another. */
export class SimProcess {
  state: 'up' | 'stopped' | 'dead' = 'up';
  /** How often it was stopped so far. */
  stops = 0;
  stoppedAtMs = 0;
  /** How long its last stop was. */
  lastStopMs = 0;
  /** What waits for it to be resumed. */
  readonly frozen: SimEvent[] = [];

  /** @param place what its successor has too, when it has died */
  constructor(
    readonly name: string,
    readonly place = name,
  ) {}
}

export interface SimEvent {
  readonly atMs: number;
  readonly order: number;
  /** Nobody: a server, which goes on whatever becomes of the processes. */
  readonly owner: SimProcess | null;
  readonly run: () => void;
  cancelled: boolean;
}

/** Node's own, to let promises settle between two events. */
const nextTurn = setImmediate;

/**
 * One clock for all processes, and what is to happen by it, one event at a time: the promises that an event settles run
 * to their end before the next. So the process that an event belongs to is the one that whatever it starts belongs to,
 * timers of the real code included.
 */
export class VirtualTime {
  nowMs = 1_000;
  current: SimProcess | null = null;
  private readonly events: SimEvent[] = [];
  private lastOrder = 0;

  constructor(private readonly choices: Choices) {}

  /** Runs something later, unless its process is dead by then; when it is stopped, once it is resumed. */
  after(delayMs: number, owner: SimProcess | null, run: () => void): SimEvent {
    this.lastOrder += 1;
    const event = { atMs: this.nowMs + Math.max(0, delayMs), order: this.lastOrder, owner, run, cancelled: false };
    this.insert(event);
    return event;
  }

  /** Runs something now, or when the process is resumed, or never. */
  go(owner: SimProcess, run: () => void): void {
    if (owner.state === 'up') run();
    else if (owner.state === 'stopped') this.after(0, owner, run);
  }

  stop(process: SimProcess): void {
    if (process.state !== 'up') return;
    process.state = 'stopped';
    process.stops += 1;
    process.stoppedAtMs = this.nowMs;
  }

  resume(process: SimProcess): void {
    if (process.state !== 'stopped') return;
    process.state = 'up';
    process.lastStopMs = this.nowMs - process.stoppedAtMs;
    for (const event of process.frozen.splice(0)) {
      this.lastOrder += 1;
      this.insert({ ...event, atMs: this.nowMs, order: this.lastOrder, run: () => !event.cancelled && event.run() });
    }
  }

  kill(process: SimProcess): void {
    process.state = 'dead';
    process.frozen.length = 0;
  }

  /** Lets things happen until the time is reached, or it is over. */
  async runUntil(endMs: number, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const next = this.events.pop();
      if (!next) return;
      if (next.atMs > endMs) {
        this.events.push(next);
        this.nowMs = endMs;
        return;
      }
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.cancelled || next.owner?.state === 'dead') continue;
      if (next.owner?.state === 'stopped') {
        next.owner.frozen.push(next);
        continue;
      }
      this.current = next.owner;
      next.run();
      await new Promise((resolve) => nextTurn(resolve));
      this.current = null;
    }
  }

  /** Puts this clock in the place of Node's timers and of chance. @returns what undoes it */
  install(): () => void {
    const replaced: [string, unknown][] = [
      ['setTimeout', (run: () => void, ms = 0) => this.timer(ms, run)],
      ['setImmediate', (run: () => void) => this.timer(0, run)],
      ['setInterval', (run: () => void, ms: number) => this.interval(ms, run)],
      ['clearTimeout', clear],
      ['clearInterval', clear],
      ['performance', { now: () => this.nowMs }],
    ];
    const saved = replaced.map(([name]) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
    for (const [name, value] of replaced) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: true });
    }
    const { random } = Math;
    Math.random = () => this.choices.fraction();
    return () => {
      Math.random = random;
      for (const [name, descriptor] of saved) if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    };
  }

  private timer(ms: number, run: () => void): Timer {
    const event = this.after(ms, this.current, run);
    return timerOf(() => (event.cancelled = true));
  }

  private interval(ms: number, run: () => void): Timer {
    const { current } = this;
    const again = (): void => {
      event = this.after(ms, current, again);
      run();
    };
    let event = this.after(ms, current, again);
    return timerOf(() => (event.cancelled = true));
  }

  /** Kept sorted, the next one last. */
  private insert(event: SimEvent): void {
    const { events } = this;
    let low = 0;
    for (let high = events.length; low < high;) {
      const middle = (low + high) >>> 1;
      const other = events[middle];
      if (other && (other.atMs - event.atMs || other.order - event.order) > 0) low = middle + 1;
      else high = middle;
    }
    events.splice(low, 0, event);
  }
}

interface Timer {
  readonly stop: () => void;
  readonly ref: () => Timer;
  readonly unref: () => Timer;
}

function timerOf(stop: () => void): Timer {
  const timer: Timer = { stop, ref: () => timer, unref: () => timer };
  return timer;
}

const { clearTimeout: clearReal } = globalThis;

/** A timer of this clock, or one that was set before it was installed. */
function clear(timer: Timer | NodeJS.Timeout | undefined): void {
  if (timer && 'stop' in timer) timer.stop();
  else clearReal(timer);
}
