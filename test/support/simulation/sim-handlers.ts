import { z } from 'zod';
import type { StepContext, StepHandler } from '#shared/contracts/handler';
import type { JsonObject } from '#shared/domain/json';
import { PermanentError } from '#shared/domain/step-errors';
import type { ActiveTurn, CurrentAttempt } from '../../../apps/step-worker/src/turn/active-turn';
import { AttemptRunner } from '../../../apps/step-worker/src/turn/attempt-runner';
import type { Execution } from './oracle';
import type { Behaviour } from './plan';
import type { Surroundings } from './surroundings';

/** Of which turn the handler is that begins now. */
let beginning: { turn: ActiveTurn; current: CurrentAttempt } | undefined;

type Execute = (this: AttemptRunner, turn: ActiveTurn, step: unknown, current: CurrentAttempt) => unknown;

/** Lets handlers know what turn they are of. @returns what undoes it */
export function followTurns(): () => void {
  const prototype = AttemptRunner.prototype as unknown as { execute: Execute };
  const { execute } = prototype;
  prototype.execute = function (...asked) {
    beginning = { turn: asked[0], current: asked[2] };
    return execute.apply(this, asked);
  };
  return () => (prototype.execute = execute);
}

/** Handlers whose every run gives another output, which names what the run was given. */
export function simHandlers(world: Surroundings): ReadonlyMap<string, StepHandler<unknown>> {
  const handler = (name: string, repeatable: boolean): [string, StepHandler<unknown>] => [
    name,
    {
      definition: { name, description: '', options: z.strictObject({}), jobOptions: [], repeatable },
      run: (context) => run(world, context),
    },
  ];
  return new Map([handler('once', false), handler('again', true)]);
}

function run(world: Surroundings, context: StepContext<unknown>): Promise<JsonObject> {
  const { current: process } = world.time;
  const begun = beginning;
  if (!process || !begun) throw new Error('a handler runs outside of a turn');
  const outputs = context.outputs as JsonObject;
  const execution = world.oracle.begins(begun.turn, begun.current, process, outputs);
  const behaviour = world.behaviourOf(execution);
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      if (process.state === 'dead') return;
      world.point('ended', { process, jobId: execution.jobId, message: execution.delivery.handed.message });
      world.time.go(process, () => {
        world.oracle.ends(execution);
        settle();
      });
    };
    const timer = setTimeout(
      () => end(() => conclude(world, behaviour, execution, resolve, reject)),
      world.workMs(behaviour),
    );
    // Most stop when they are told to; some complete all the same.
    if (world.choices.chance(0.2)) return;
    context.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      setTimeout(() => end(() => reject(new Error('stopped'))), world.busLatencyMs());
    });
  });
}

function conclude(
  world: Surroundings,
  behaviour: Behaviour,
  { process, output }: Execution,
  resolve: (output: JsonObject) => void,
  reject: (error: Error) => void,
): void {
  switch (behaviour) {
    case 'complete':
    case 'take-long':
      return resolve(output);
    case 'fail':
      return reject(new Error('no luck'));
    case 'fail-for-good':
      return reject(new PermanentError('never'));
    case 'kill':
      return world.crash(process, 1_000);
  }
}
