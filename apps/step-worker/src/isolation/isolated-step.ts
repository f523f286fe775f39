// The program of a step with `isolation: process`: runs one attempt that its worker sends, says how it ended, and ends.
import type { StepHandler } from '#shared/contracts/handler';
import { loadConfig, type ServiceConfig } from '#shared/runtime/config';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { GraphStore } from '#shared/store/graph/graph-store';
import { createHandler, needsStore } from '../handlers/handler-registry';
import type { OwnFigures } from '../processes/own-figures';
import { peakResidentBytes } from '../processes/process-table';
import { ProcessGroups } from '../processes/process-groups';
import { TreeMeter } from '../processes/tree-meter';
import { classify } from '../turn/attempt-failure';
import { checkOutput } from '../turn/step-output';
import { ChildContext } from './child-context';
import type { ChildEnd, FromChild, ToChild } from './messages';

/** Of one handler that works in pages; the worker's own pool is larger. */
const POOL_SIZE = 4;

let context: ChildContext | undefined;
/** The worker may tell to stop before it has told what to do. */
let stopReason: string | undefined;

process.on('message', (message: ToChild) => {
  if (message.type === 'run') return void run(message);
  stopReason = message.reason;
  return context?.stop(stopReason);
});
// The worker is gone. Its guard ends this process too, a moment later.
process.on('disconnect', () => process.exit(1));
// What nobody catches is the step's failure, as it would be if the handler had thrown it.
process.on('uncaughtException', (error) => end(failed(error)));
process.on('unhandledRejection', (error) => end(failed(error)));

async function run(request: ToChild & { type: 'run' }): Promise<void> {
  const running = new ChildContext(request, send);
  context = running;
  if (stopReason !== undefined) running.stop(stopReason);
  try {
    const handler = await handlerFor(request.uses);
    const checked = checkOutput(await handler.run(running));
    if ('output' in checked) end({ type: 'sluice:completed', output: checked.output, figures: figures() });
    else end(failure(checked.fault, 'permanent', 'bad_output', 0));
  } catch (error) {
    end(failed(error));
  }
}

async function handlerFor(uses: string): Promise<StepHandler<unknown>> {
  const config = loadConfig('step-worker');
  const { more } = await knownHandlers(config.handlersModule);
  const added = more.find(({ definition }) => definition.name === uses);
  if (added) return added;
  return createHandler(uses, {
    graph: needsStore(uses) ? await openGraph(config) : null,
    sourceRoots: config.sourceRoots,
    groups: new ProcessGroups(new TreeMeter(), config.graceMs),
    env: process.env,
    secretNames: new Set(),
  });
}

/** Loaded only where it is needed: it takes longer than all the rest. */
async function openGraph({ databaseUrl }: ServiceConfig): Promise<GraphStore> {
  const { openDatabase } = await import('#shared/store/database');
  const applicationName = 'sluice-isolated-step';
  return new GraphStore(await openDatabase({ url: databaseUrl, applicationName, poolSize: POOL_SIZE }));
}

function send(message: FromChild): void {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined);
}

let hasEnded = false;

/** The first end counts. The process ends when the worker has it, whatever the handler has left running. */
function end(message: ChildEnd): void {
  if (hasEnded) return;
  hasEnded = true;
  context?.flush();
  process.send?.(message, undefined, {}, () => process.exit(0));
}

function failed(error: unknown): ChildEnd {
  const { error: known, leastMs } = classify(error);
  return failure(known.message, known.kind === 'permanent' ? 'permanent' : 'transient', known.code, leastMs);
}

function failure(message: string, kind: 'permanent' | 'transient', code: string | null, leastMs: number): ChildEnd {
  return { type: 'sluice:failed', message, kind, code, leastMs, figures: figures() };
}

function figures(): OwnFigures {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  // On Linux maxRSS counts what the worker had when it started this process.
  const bytes = process.platform === 'linux' ? peakResidentBytes(process.pid) : maxRSS * 1_024;
  return { cpuMs: (userCPUTime + systemCPUTime) / 1_000, memoryMb: Math.round((bytes / 1_048_576) * 10) / 10 };
}
