import { shiftClock } from '#shared/runtime/clock-shift';

/**
 * Places where a test has a service die or stop, and guards that it takes away to see that something then goes wrong.
 * Compiled in, so that what is tested is what runs; nothing of it is armed unless `SLUICE_INTERNAL_FAILPOINTS` names it,
 * and until then each costs the comparison of one variable with null.
 *
 * `worker.settled=kill@50` kills the process at the 50th time that it comes by, `=stop@1` freezes it (SIGSTOP),
 * `=tell` writes a line each time; `worker.redelivery_reads=off` takes a guard away. `clock=+3600s` (or `-3600s`) has the
 * process's wall clock go so many seconds ahead (or behind). Several are separated by commas.
 */
export const POINTS = [
  'worker.begins', // a handler is about to be called; told with job, step, epoch
  'worker.claimed', // the claim is committed, the step has not begun
  'worker.attempt_ended', // the handler is done, nothing of it is settled
  'worker.settled', // the settlement is committed, what it opened is not published
  'worker.published', // what was opened is published, the turn is not acked
  'gateway.stored', // the jobs are committed, nothing is published or answered
  'gateway.announced', // their turns are on the way out, nothing is answered
  'scheduler.released', // held jobs are committed as released, nothing is published
  'scheduler.retry_released', // the same of a step whose back-off is over
  'scheduler.mended', // the same of a step whose message was lost
  'scheduler.runs_inserted', // the jobs of due schedules are inserted, nothing is committed
  'scheduler.runs_committed', // they are committed, nothing is published
  'scheduler.dependant_told', // a job has moved because of one that it needs; nothing is published
] as const;

export const GUARDS = [
  'worker.acks_after_commit', // off: a turn is acked as soon as it is delivered
  'worker.redelivery_reads', // off: a turn that is delivered again is taken for a first one
  'worker.lease_at_begin', // off: a step begins though the lease that granted it is lost
  'worker.suspects_apart', // off: steps that have crashed a worker run side by side
  'worker.terminates_garbage', // off: what is no turn is handed back
  'worker.long_waits_leave', // off: every back-off is waited out by a worker, which keeps its message
  'worker.hands_back', // off: what a stopping worker still runs is left as it is
  'worker.writes_again', // off: a settlement that the database did not answer is given up
  'worker.settle_is_fenced', // off: a settlement does not ask whether somebody else has claimed the step
  'store.keys_are_kept', // off: a job is stored without its idempotency key
  'gateway.answers_after_commit', // off: a submission is answered before it is stored
  'bus.acks_know_their_store', // off: an ack is sent to whatever store is there
  'bus.roomy_consumers', // off: consumers have NATS's own limit of unacknowledged messages
  'bus.gives_up_silence', // off: a connection that answers nothing is kept
  'bus.late_publishes_read', // off: a turn that is published late may begin unread
  'scheduler.sweeps', // off: a lost message is never sent again
  'scheduler.waits_for_due', // off: a held job is released at the next look, due or not
  'scheduler.database_time', // off: what is due is told by the scheduler's own clock
  'worker.database_time', // off: a worker records times by its own clock
  'gateway.changes_lock', // off: whoever changes a job reads it without a lock
  'gateway.database_time', // off: a countdown counts from the gateway's own clock
  'metrics.compares', // off: what was sent of attempts is taken for all that there were
] as const;

export type Point = (typeof POINTS)[number];
export type Guard = (typeof GUARDS)[number];
export type PointAction = 'kill' | 'stop' | 'tell';

export interface ArmedPoint {
  readonly action: PointAction;
  /** Which hit, from 1; null: every one. */
  readonly hit: number | null;
}

/** What is armed in a process. */
export interface Failpoints {
  readonly points: ReadonlyMap<Point, ArmedPoint>;
  readonly guardsOff: ReadonlySet<Guard>;
  /** How far its wall clock is ahead; negative: behind. */
  readonly clockShiftMs: number;
}

const CLOCK_SHIFT = /^[+-][1-9]\d{0,8}s$/;
const ARMED_POINT = /^(kill|stop|tell)(?:@([1-9]\d{0,8}))?$/;

/** @throws RangeError naming what is not known: a test that arms nothing would prove nothing */
export function parseFailpoints(text: string): Failpoints {
  const points = new Map<Point, ArmedPoint>();
  const guardsOff = new Set<Guard>();
  let clockShiftMs = 0;
  for (const entry of text.split(',').map((part) => part.trim())) {
    if (entry === '') continue;
    const [name = '', setting = ''] = entry.split('=');
    const found = ARMED_POINT.exec(setting);
    if (name === 'clock' && CLOCK_SHIFT.test(setting)) clockShiftMs = Number.parseInt(setting, 10) * 1_000;
    else if (isGuard(name) && setting === 'off') guardsOff.add(name);
    else if (isPoint(name) && found) points.set(name, armedPoint(found[1] as PointAction, found[2]));
    else
      throw new RangeError(`"${entry}" is neither POINT=kill@N, stop@N or tell, nor GUARD=off, nor clock=+Ns or -Ns`);
  }
  return { points, guardsOff, clockShiftMs };
}

const armedPoint = (action: PointAction, hit: string | undefined): ArmedPoint => ({
  action,
  hit: hit === undefined ? (action === 'tell' ? null : 1) : Number(hit),
});

const isPoint = (name: string): name is Point => (POINTS as readonly string[]).includes(name);
const isGuard = (name: string): name is Guard => (GUARDS as readonly string[]).includes(name);

/** Where it says that one has fired; a `pino` logger fits. */
export interface FailpointLog {
  warn(details: object, message: string): void;
}

interface Armed extends Failpoints {
  readonly log: FailpointLog;
  readonly hits: Map<Point, number>;
  readonly missed: Set<Guard>;
  readonly signal: (signal: NodeJS.Signals) => void;
}

let armed: Armed | null = null;
let setClockRight = (): void => undefined;

/** Arms them for this process; null, or nothing named, disarms all. `signal` is for tests. */
export function armFailpoints(
  failpoints: Failpoints | null,
  log: FailpointLog,
  signal: (signal: NodeJS.Signals) => void = (name) => void process.kill(process.pid, name),
): void {
  armed = null;
  setClockRight();
  setClockRight = (): void => undefined;
  if (failpoints === null) return;
  const { points, guardsOff, clockShiftMs } = failpoints;
  if (points.size + guardsOff.size === 0 && clockShiftMs === 0) return;
  armed = { ...failpoints, log, hits: new Map(), missed: new Set(), signal };
  const names = [...points.keys(), ...guardsOff];
  if (clockShiftMs !== 0) setClockRight = shiftClock(clockShiftMs);
  const clock = clockShiftMs === 0 ? undefined : clockShiftMs;
  log.warn({ failpoints: names, clock_shift_ms: clock }, 'failpoints are armed: this process is here to fail');
}

/** The process comes by a point. `job` and `step` are for the log. */
export function failpoint(point: Point, job?: string, step?: number, epoch?: number): void {
  if (armed !== null) hit(armed, point, job, step, epoch);
}

/** Whether a guard holds; false only where a test has taken it away. */
export function guardHolds(guard: Guard): boolean {
  return armed === null || holds(armed, guard);
}

function hit({ points, hits, log, signal }: Armed, point: Point, job?: string, step?: number, epoch?: number): void {
  const wanted = points.get(point);
  if (!wanted) return;
  const count = (hits.get(point) ?? 0) + 1;
  hits.set(point, count);
  if (wanted.hit !== null && wanted.hit !== count) return;
  const { action } = wanted;
  log.warn({ failpoint: point, action, hit: count, job, step, epoch }, 'failpoint');
  if (action !== 'tell') signal(action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

function holds({ guardsOff, missed, log }: Armed, guard: Guard): boolean {
  if (!guardsOff.has(guard)) return true;
  if (!missed.has(guard)) {
    missed.add(guard);
    log.warn({ failpoint: guard, action: 'off' }, 'failpoint');
  }
  return false;
}
