import type { JobStatus, StepRowStatus } from '#shared/domain/status';

/**
 * The one table of what may become what. A pair that is not in it is forbidden: the statement that would make it
 * changes nothing. The SQL in `store` is tested against this table for every pair.
 */
export const JOB_TRANSITIONS = {
  scheduled: { release: 'pending', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  waiting: { release: 'pending', fail: 'failed', cancel: 'cancelled' },
  pending: { begin: 'running', complete: 'completed', fail: 'failed', cancel: 'cancelling' },
  running: { begin: 'running', complete: 'completed', fail: 'failed', cancel: 'cancelling' },
  cancelling: { complete: 'completed', finish_cancel: 'cancelled' },
  completed: { rerun: 'pending' },
  failed: { retry: 'pending', rerun: 'pending', hold: 'scheduled', wait: 'waiting' },
  cancelled: { retry: 'pending', rerun: 'pending', hold: 'scheduled', wait: 'waiting' },
} as const satisfies Record<JobStatus, Partial<Record<JobEvent, JobStatus>>>;

/**
 * - release: its time has come and it waits for no job, or the last one that it waited for is completed
 * - wait: for other jobs: its time has come, or it goes on without having begun
 * - hold: it goes on without having begun, and its time is still to come
 * - begin: a step has begun, ended or was handed on
 * - complete: every step is completed
 * - fail: nothing is open any more and a step has failed for good; or a job that it needs has failed
 * - cancel, finish_cancel: asked for; acknowledged by every worker that is alive
 * - retry: go on from the failed steps; rerun: begin again from a named step
 */
export type JobEvent =
  'release' | 'wait' | 'hold' | 'begin' | 'complete' | 'fail' | 'cancel' | 'finish_cancel' | 'retry' | 'rerun';

export const STEP_TRANSITIONS = {
  none: {
    claim: 'running',
    park: 'parked',
    complete: 'completed',
    fail: 'failed',
    back_off: 'retrying',
    cancel: 'cancelled',
  },
  queued: { claim: 'running', park: 'parked', cancel: 'cancelled', reset: 'queued' },
  parked: { claim: 'running', park: 'parked', cancel: 'cancelled', reset: 'queued' },
  running: {
    claim: 'running',
    park: 'parked',
    complete: 'completed',
    fail: 'failed',
    back_off: 'retrying',
    hand_back: 'queued',
    cancel: 'cancelled',
    reset: 'queued',
  },
  retrying: { claim: 'running', park: 'parked', release: 'queued', cancel: 'cancelled', reset: 'queued' },
  completed: { reset: 'queued' },
  failed: { reset: 'queued' },
  cancelled: { reset: 'queued' },
} as const satisfies Record<StepRowStatus | 'none', Partial<Record<StepEvent, StepRowStatus>>>;

/**
 * - claim: a worker takes it (of a running one: from a worker whose lease is over)
 * - park: no token is free
 * - complete, fail, back_off: its attempt has ended
 * - release: its back-off is over and the scheduler hands it out again
 * - hand_back: a draining worker gives it up unfinished
 * - cancel: its job is cancelled, and its attempt has stopped or nobody runs it; reset: a retry or rerun includes it
 */
export type StepEvent =
  'claim' | 'park' | 'complete' | 'fail' | 'back_off' | 'release' | 'hand_back' | 'cancel' | 'reset';

type Table<S extends string, E extends string, T extends string> = Readonly<Record<S, Partial<Record<E, T>>>>;

function lookUp<S extends string, E extends string, T extends string>(
  table: Table<S, E, T>,
  state: S,
  event: E,
): T | null {
  return table[state][event] ?? null;
}

/** The status that a job has after the event; null: the event is forbidden in this state. */
export const jobTransition = (status: JobStatus, event: JobEvent): JobStatus | null =>
  lookUp<JobStatus, JobEvent, JobStatus>(JOB_TRANSITIONS, status, event);

/** The status that a step's row has after the event (`none`: it has no row yet); null: forbidden. */
export const stepTransition = (status: StepRowStatus | 'none', event: StepEvent): StepRowStatus | null =>
  lookUp<StepRowStatus | 'none', StepEvent, StepRowStatus>(STEP_TRANSITIONS, status, event);

/** All states in which the event is allowed, for `WHERE status = ANY(…)`. */
export const jobStatesAllowing = (event: JobEvent): JobStatus[] =>
  (Object.keys(JOB_TRANSITIONS) as JobStatus[]).filter((status) => jobTransition(status, event) !== null);
