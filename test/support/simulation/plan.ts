/** Where something may go wrong: what has just happened, or is about to. */
export type Point =
  /** A turn has come to a worker, which has not looked at it. */
  | 'delivered'
  /** A handler has begun. */
  | 'begun'
  /** A handler is about to end. */
  | 'ended'
  /** A statement has been committed; its process does not know yet. */
  | 'committed'
  /** A message is about to be sent; one has been stored. */
  | 'publish'
  | 'stored'
  /** An ack or nak is about to be sent. */
  | 'ending'
  | 'registered'
  | 'renewed'
  | 'left'
  /** A worker has looked at what is being cancelled, has acknowledged it; a cancel was marked. */
  | 'looked'
  | 'acknowledged'
  | 'marked'
  /** A second has passed. */
  | 'second';

export const FAULTS = [
  /** A process dies, and comes back after a while. */
  'crash',
  /** A process is stopped for a while (SIGSTOP). */
  'stop',
  /** A process cannot reach the database for a while; or it can, slowly. */
  'cut',
  'slow',
  /** The answer to a statement is lost. */
  'doubt',
  'lose-publish',
  'doubt-publish',
  'lose-ack',
  /** What a worker says to hold off a redelivery is not heard for a while. */
  'deaf',
  /** Of messages: gone; never delivered, never gone; delivered as if for the first time; delivered too soon. */
  'lose-message',
  'orphan',
  'anew',
  'early',
  'restart-nats',
  'wipe-nats',
  /** A cancel's broadcast is lost. */
  'lose-word',
] as const;

export const REQUESTS = ['cancel', 'retry', 'rerun'] as const;

/** Asked for where jobs are held. */
export const HOLD_REQUESTS = ['reschedule'] as const;

/** What steps do besides completing at once; and a worker that is told to end. */
export const TURNS_OF_EVENTS = ['fail', 'fail-for-good', 'take-long', 'kill', 'drain'] as const;

export type Action =
  | (typeof FAULTS)[number]
  | (typeof REQUESTS)[number]
  | (typeof HOLD_REQUESTS)[number]
  | (typeof TURNS_OF_EVENTS)[number];

/** Something that happens at the nth time that the point is reached. */
export interface PlanEntry {
  readonly on: Point;
  readonly nth: number;
  readonly action: Action;
  /** How long it lasts. */
  readonly ms: number;
  /** Which one, where there are several. */
  readonly which: number;
}

const isFault = (action: Action): boolean => (FAULTS as readonly Action[]).includes(action);
const isRequest = (action: Action): boolean => (REQUESTS as readonly Action[]).includes(action);

/** Nothing in it may cost any work. */
export const isClean = (plan: readonly PlanEntry[]): boolean =>
  plan.every(({ action }) => !isFault(action) && !isRequest(action) && action !== 'kill' && action !== 'drain');

/** What a handler is told to do. */
export type Behaviour = 'complete' | Exclude<(typeof TURNS_OF_EVENTS)[number], 'drain'>;
