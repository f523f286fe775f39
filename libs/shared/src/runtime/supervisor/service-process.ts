import { describeExit, endProcess, spawnGuarded, withinMs } from '#shared/runtime/embedded/guardian';
import { readLines } from '#shared/runtime/embedded/line-tail';
import type { Running } from '#shared/runtime/supervisor/supervised';

const POLL_MS = 50;
const PROBE_LIMIT_MS = 2_000;

export interface ServiceCommand {
  /** Stands in the command line, so that people and tools can tell the processes apart. */
  readonly name: string;
  /** The compiled main file. */
  readonly main: string;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly onLine: (line: string) => void;
}

export interface ServiceProcess extends Running {
  readonly kill: (signal: NodeJS.Signals) => boolean;
}

/** Starts a service as a process that dies with this one. It may not be ready yet: see `waitUntilReady`. */
export async function startServiceProcess(command: ServiceCommand): Promise<ServiceProcess> {
  const guarded = await spawnGuarded({
    argv: [process.execPath, command.main, `sluice-${command.name}`],
    env: command.env,
    cwd: command.cwd,
    orphanSignal: 'SIGKILL',
    orphanGraceMs: 0,
  });
  readLines(guarded.stdout, command.onLine);
  readLines(guarded.stderr, command.onLine);
  return {
    pid: guarded.pid,
    exited: guarded.exited,
    kill: guarded.kill,
    stop: (limitMs = 0) => endProcess(guarded, limitMs > 0 ? [{ signal: 'SIGTERM', waitMs: limitMs }] : []),
  };
}

/**
 * Waits until a service answers 200 at `/health/ready`.
 * @param baseUrl the service's, e.g. `http://127.0.0.1:3000`
 * @throws when the process ends before, or `limitMs` is over
 */
export async function waitUntilReady(baseUrl: string, running: Running, limitMs: number): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  let lastAnswer = 'no answer';
  while (performance.now() < giveUpAt) {
    const status = await readyStatus(baseUrl);
    if (status === 200) return;
    if (status !== undefined) lastAnswer = `status ${status}`;
    const exit = await withinMs(running.exited, POLL_MS);
    if (exit) throw new ServiceEndedError(describeExit(exit), exit.code);
  }
  throw new Error(`not ready within ${limitMs / 1000} s: ${lastAnswer} from ${baseUrl}/health/ready`);
}

/** A service ended before it was ready. */
export class ServiceEndedError extends Error {
  override readonly name = 'ServiceEndedError';

  constructor(
    description: string,
    /** 2 when the service was told something wrong. */
    readonly exitCode: number | null,
  ) {
    super(`ended with ${description} before it was ready`);
  }
}

async function readyStatus(baseUrl: string): Promise<number | undefined> {
  try {
    const response = await fetch(`${baseUrl}/health/ready`, { signal: AbortSignal.timeout(PROBE_LIMIT_MS) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}
