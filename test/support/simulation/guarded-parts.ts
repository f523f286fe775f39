import { TurnPublisher } from '#shared/bus/turn-publisher';
import { TurnDispatch } from '../../../apps/scheduler/src/turn-dispatch';
import { CancelledJobs } from '../../../apps/step-worker/src/cancel/cancelled-jobs';
import { Incarnation, type WorkerLease } from '../../../apps/step-worker/src/lease/worker-lease';
import type { ActiveTurn, CurrentAttempt } from '../../../apps/step-worker/src/turn/active-turn';
import { ActiveTurns } from '../../../apps/step-worker/src/turn/active-turns';
import { AttemptRunner } from '../../../apps/step-worker/src/turn/attempt-runner';
import { OpenedSteps } from '../../../apps/step-worker/src/turn/opened-steps';
import { type Rest, TurnRunner } from '../../../apps/step-worker/src/turn/turn-runner';
import { type Guard, guards } from './guards';

/** How many cancels a worker of the simulation remembers: as many as one page of a look shows, so that it has to forget. */
const CANCELS_KEPT = 1;

/** Puts something in the place of methods of real classes. @returns what undoes it */
export function takeGuardsOfParts(): () => void {
  const undo: (() => void)[] = [];
  const replace = <T extends object>(type: { prototype: T }, name: string, made: (real: Method) => Method): void => {
    const real = Object.getOwnPropertyDescriptor(type.prototype, name);
    if (!real) throw new Error(`nothing is called ${name}`);
    const isGetter = real.get !== undefined;
    const method = made((isGetter ? real.get : real.value) as Method);
    Object.defineProperty(type.prototype, name, { ...real, ...(isGetter ? { get: method } : { value: method }) });
    undo.push(() => Object.defineProperty(type.prototype, name, real));
  };
  replace(
    CancelledJobs,
    'add',
    (real) =>
      function (this: { mostKept: number; onForget: () => void }, ...asked) {
        this.mostKept = CANCELS_KEPT;
        if (guards.isOff('horizon raised by what is forgotten')) this.onForget = () => undefined;
        return real.apply(this as never, asked);
      },
  );
  for (const [guard, take] of Object.entries(PARTS)) if (guards.isOff(guard as Guard)) take(replace);
  return () => undo.reverse().forEach((each) => each());
}

type Method = (...asked: never[]) => unknown;
type Replace = <T extends object>(type: { prototype: T }, name: string, made: (real: Method) => Method) => void;

let turns = 0;

const PARTS: Partial<Record<Guard, (replace: Replace) => void>> = {
  'lease at begin': (replace) => {
    replace(TurnRunner, 'mayBegin', () => (turn: ActiveTurn) => !turn.cancelled);
    replace(
      AttemptRunner,
      'run',
      (real) =>
        function (this: { deps: object }, turn: ActiveTurn, pipeline: unknown, current: CurrentAttempt) {
          const grantedBy = { ...current.grantedBy, id: current.grantedBy.id, isValid: () => true };
          const self = Object.create(this, {
            deps: { value: { ...this.deps, lease: { current: grantedBy } } },
          }) as never;
          return real.apply(self, [turn, pipeline, { ...current, grantedBy }] as never);
        },
    );
  },
  horizon: (replace) => replace(Incarnation, 'horizon', () => () => 0),
  'memory of cancels': (replace) => replace(CancelledJobs, 'has', () => () => false),
  'one turn per head': (replace) =>
    replace(
      ActiveTurns,
      'add',
      () =>
        function (this: { byKey: Map<string, ActiveTurn> }, turn: ActiveTurn) {
          turns += 1;
          const key = `${turn.key}#${turns}`;
          Object.defineProperty(turn, 'key', { value: key });
          this.byKey.set(key, turn);
          return true;
        },
    ),
  'read after a rest': (replace) =>
    replace(
      TurnRunner,
      'resume',
      (real) =>
        function (this: never, delivery: unknown, { message }: Rest) {
          return real.apply(this, [delivery, { message: { ...message, read: false } }] as never);
        },
    ),
  'read on repeats': (replace) => {
    replace(
      TurnPublisher,
      'publish',
      (real) =>
        function (this: { send: (turn: unknown) => unknown }, turn: unknown) {
          let first: unknown;
          const send = (asked: unknown): unknown => this.send((first ??= asked));
          return real.apply(Object.create(this, { send: { value: send } }) as never, [turn] as never);
        },
    );
    replace(
      TurnDispatch,
      'send',
      (real) =>
        function (this: never, dispatch: object) {
          return real.apply(this, [{ ...dispatch, read: false }] as never);
        },
    );
  },
  'read on late publishes': (replace) =>
    replace(
      OpenedSteps,
      'publish',
      (real) =>
        function (this: { lease: WorkerLease }, turn: ActiveTurn, ...rest: unknown[]) {
          const current = { isValid: () => true };
          const self = Object.create(this, { lease: { value: { current } } }) as never;
          return real.apply(self, [Object.create(turn, { deliveredUnder: { value: current } }), ...rest] as never);
        },
    ),
  'read on late submissions': (replace) =>
    replace(
      TurnPublisher,
      'publish',
      (real) =>
        function (this: never, turn: object) {
          return real.apply(this, [{ ...turn, askedAtMs: undefined }] as never);
        },
    ),
  'in doubt claims': (replace) =>
    replace(
      TurnRunner,
      'staleEnding',
      (real) =>
        function (this: never, turn: ActiveTurn) {
          turn.inDoubt = false;
          return real.apply(this, [turn] as never);
        },
    ),
};
