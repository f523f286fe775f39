import type { HandlerDefinition, StepContext, StepHandler } from '#shared/contracts/handler';
import { commandDefinition } from '#shared/contracts/handlers/command';
import type { Json } from '#shared/domain/json';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { describeExit, type GuardedProcess, type ProcessExit } from '#shared/runtime/embedded/guardian';
import { readLines } from '#shared/runtime/embedded/line-tail';
import { recordFigures } from '../processes/own-figures';
import { type ProcessGroups, readToEnd, type RunningGroup } from '../processes/process-groups';
import { AttemptStopped } from '../turn/step-execution';
import { type ChildEnd, fromChild, type FromChild, type ToChild } from './messages';

export interface IsolatedHandlerDeps {
  readonly groups: ProcessGroups;
  /** The program, see isolated-step.ts. */
  readonly main: string;
  /** The worker's. */
  readonly env: NodeJS.ProcessEnv;
}

/** One that has said how it ended and lives on is not waited for. */
const LEAVE_LIMIT_MS = 2_000;

/** Runs another handler in a process of its own, one for each attempt: what it does there cannot hold up the worker. */
export class IsolatedHandler implements StepHandler<unknown> {
  constructor(
    readonly definition: HandlerDefinition<unknown>,
    private readonly deps: IsolatedHandlerDeps,
  ) {}

  async run(context: StepContext<unknown>): Promise<Json> {
    const { signal } = context;
    let end: ChildEnd | undefined;
    let leaveTimer: NodeJS.Timeout | undefined;
    const group = await this.start(context, (message) => {
      if (message.type === 'sluice:progress') context.progress(message.percent, message.message);
      else if (message.type === 'sluice:log') context.log(message.level, message.message);
      else {
        end ??= message;
        leaveTimer ??= setTimeout(() => group.process.killGroup('SIGKILL'), LEAVE_LIMIT_MS);
      }
    });
    const printed = [group.process.stdout, group.process.stderr].map((stream) => {
      readLines(stream, (line) => context.log('info', line));
      return readToEnd(stream, group.process);
    });
    group.process.send(requestOf(this.definition.name, context));
    const { exit, figures, wasStopped } = await group.ended;
    await Promise.all(printed);
    clearTimeout(leaveTimer);
    recordFigures(context, {
      cpuMs: Math.max(figures.cpuMs, end?.figures.cpuMs ?? 0),
      memoryMb: Math.max(figures.memoryMb, end?.figures.memoryMb ?? 0),
    });
    if (end?.type === 'sluice:completed') return end.output;
    if (end) throw errorOf(end);
    if (wasStopped) throw signal.reason;
    throw died(exit);
  }

  private start(context: StepContext<unknown>, onMessage: (message: FromChild) => void): Promise<RunningGroup> {
    const { main, env, groups } = this.deps;
    const command = {
      argv: [process.execPath, main, context.step, context.jobId] as const,
      env,
      onMessage: (message: unknown) => {
        const parsed = fromChild.safeParse(message);
        if (parsed.success) onMessage(parsed.data);
      },
    };
    return groups.start(command, context.signal, (child) => tellToStop(child, context.signal.reason));
  }
}

/** Handlers by name for steps with `isolation: process`. A command is a process of its own already. */
export function isolatedHandlers(
  handlers: ReadonlyMap<string, StepHandler<unknown>>,
  deps: IsolatedHandlerDeps,
): ReadonlyMap<string, StepHandler<unknown>> {
  const isolated = [...handlers].map(([name, handler]): [string, StepHandler<unknown>] => [
    name,
    name === commandDefinition.name ? handler : new IsolatedHandler(handler.definition, deps),
  ]);
  return new Map(isolated);
}

function requestOf(uses: string, context: StepContext<unknown>): ToChild {
  const { jobId, step, attempt, idempotencyKey, input, outputs, options } = context;
  const { source, source_type, branch, commit } = input;
  return {
    ...{ type: 'run', uses, jobId, step, attempt, idempotencyKey, outputs, options },
    input: { source, source_type, branch, commit, input: input.input },
  };
}

function tellToStop(child: GuardedProcess, reason: unknown): void {
  const message: ToChild = { type: 'stop', reason: reason instanceof AttemptStopped ? reason.reason : 'stale' };
  child.send(message);
}

function errorOf({ message, kind, code, leastMs }: ChildEnd & { type: 'sluice:failed' }): Error {
  if (kind === 'permanent') return new PermanentError(message, code ?? undefined);
  return new TransientError(message, code ?? undefined, leastMs);
}

function died(exit: ProcessExit): TransientError {
  const cause = exit.signal === 'SIGKILL' ? ', as the system does when memory runs out' : '';
  const message = `the process of the step ended with ${describeExit(exit)}${cause}, before it gave a result`;
  return new TransientError(message, 'process_died');
}
