import type { Readable } from 'node:stream';
import {
  type GuardedCommand,
  type GuardedProcess,
  type ProcessExit,
  spawnGuarded,
  withinMs,
} from '#shared/runtime/embedded/guardian';
import { pause } from '#shared/runtime/embedded/pause';
import { AttemptStopped } from '../turn/step-execution';
import type { OwnFigures } from './own-figures';
import { readProcTable } from './process-table';
import type { TreeMeter } from './tree-meter';

/** How long a program may take to end after it was asked to. */
const STOP_GRACE_MS = 5_000;
/** The worker itself is about to end, or somebody else has the step already. */
const HASTY_GRACE_MS = 1_000;
/** What died with its worker cannot be waited for: the step is run again elsewhere. */
const ORPHAN_GRACE_MS = 1_000;
/** SIGKILL takes effect at once, but for a process that hangs in the kernel. */
const KILLED_LIMIT_MS = 2_000;
const UNCOLLECTED_AFTER_MS = 50;
const LAST_OUTPUT_LIMIT_MS = 1_000;

export interface EndedGroup {
  readonly exit: ProcessExit;
  readonly figures: OwnFigures;
  /** Whether it was asked to end before it did. */
  readonly wasStopped: boolean;
}

export interface RunningGroup {
  readonly process: GuardedProcess;
  /** Resolves when nothing of the group lives any more. Never rejects. */
  readonly ended: Promise<EndedGroup>;
}

export type GroupCommand = Omit<GuardedCommand, 'orphanSignal' | 'orphanGraceMs'>;

/** Programs that steps run: each leads a process group that dies with this worker, ends on a signal, and is measured. */
export class ProcessGroups {
  /** @param graceMs how long the worker gives running steps when it is told to stop */
  constructor(
    private readonly meter: TreeMeter,
    private readonly graceMs: number,
  ) {}

  /**
   * Starts a program. When the signal is aborted the program is asked to end, and its group killed after a grace time.
   * @param ask how it is asked; SIGTERM to its group when left out
   * @throws when no process can be started
   */
  async start(
    command: GroupCommand,
    signal: AbortSignal,
    ask: (process: GuardedProcess) => void = (process) => void process.killGroup('SIGTERM'),
  ): Promise<RunningGroup> {
    signal.throwIfAborted();
    const guarded = await spawnGuarded({ ...command, orphanSignal: 'SIGTERM', orphanGraceMs: ORPHAN_GRACE_MS });
    const watch = this.meter.watch(guarded.pid);
    let wasStopped = false;
    let killTimer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      wasStopped = true;
      watch.look();
      ask(guarded);
      killTimer = setTimeout(() => {
        watch.look();
        guarded.killGroup('SIGKILL');
      }, this.graceFor(signal.reason));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    const measured = guarded.ended.then(() => {
      signal.removeEventListener('abort', stop);
      return { figures: watch.end(), wasStopped };
    });
    const ended = guarded.exited.then(async (exit) => {
      clearTimeout(killTimer);
      await untilGroupGone(guarded.pid);
      return { exit, ...(await measured) };
    });
    return { process: guarded, ended };
  }

  private graceFor(reason: unknown): number {
    const hasty = reason instanceof AttemptStopped && (reason.reason === 'drain' || reason.reason === 'stale');
    return hasty ? HASTY_GRACE_MS : Math.min(STOP_GRACE_MS, this.graceMs);
  }
}

/**
 * Resolves when all of a stream of the process was read. It must be read already.
 * What a process outside the group still holds open is not waited for.
 */
export async function readToEnd(stream: Readable, { exited }: GuardedProcess): Promise<void> {
  const closed = new Promise<true>((resolve) => stream.once('close', () => resolve(true)));
  await exited;
  if ((await withinMs(closed, LAST_OUTPUT_LIMIT_MS)) === undefined) stream.destroy();
}

/** The guard is killed in the same moment as the others, and may be gone an instant before them. */
async function untilGroupGone(group: number): Promise<void> {
  const startedAtMs = performance.now();
  while (hasMembers(group)) {
    const forMs = performance.now() - startedAtMs;
    // The dead whom nobody has collected are members too. Most are collected at once; only then it is worth a look.
    if (forMs > UNCOLLECTED_AFTER_MS && !hasLivingMembers(group)) return;
    if (forMs > KILLED_LIMIT_MS) return;
    await pause(5);
  }
}

function hasMembers(group: number): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

function hasLivingMembers(group: number): boolean {
  if (process.platform !== 'linux') return true;
  return readProcTable().some((row) => row.group === group && !row.isZombie);
}
