import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/**
 * Children that cannot outlive this process, however it dies.
 *
 * Node has no parent-death signal. Each guarded child therefore leads a process group of its own, in which a small
 * shell waits too: it holds one end of a pipe whose other end only this process has. When this process dies (kill -9
 * included) or lets go of the pipe, the shell reads end-of-file, asks the child to end and then kills the group.
 *
 * The shell starts before the child and the child then takes the place of the starting shell (`exec`), so that
 * there is no moment without a guard, and the child's pid, exit code and signal are its own. While the guard lives the
 * group's number is taken, so the kernel gives the child's pid to nobody else. A program that calls setsid escapes.
 */
const GUARD = `
trap '' HUP INT QUIT TERM
while read -r _; do :; done
kill -s "$2" "$1"
tenths=0
while [ "$tenths" -lt "$3" ] && kill -s 0 "$1"; do
  sleep 0.1 || sleep 1
  tenths=$((tenths + 1))
done
kill -s KILL -- "-$1"
`;

/** The guard is a grandchild, so that the child never finds an unknown child of its own (Postgres minds). */
const STARTER = `
guard=$1 signal=$2 tenths=$3
shift 3
( /bin/sh -c "$guard" sluice-guardian "$$" "$signal" "$tenths" <&3 3<&- 4<&- >/dev/null 2>&1 & )
exec "$@" 3<&-
`;

/** Of a channel that somebody else holds open: a process that left the group. */
const LAST_MESSAGE_LIMIT_MS = 1_000;

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GuardedCommand {
  /** Program and arguments; no shell looks at them. */
  readonly argv: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Run as this user and group; only root may. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What the child gets when this process is gone. */
  readonly orphanSignal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' | 'SIGQUIT';
  /** How long it may take to end after `orphanSignal`, before its whole group is killed. */
  readonly orphanGraceMs: number;
  /** Whether it is given a standard input; otherwise that is empty. */
  readonly hasInput?: boolean;
  /** For a program that is Node: gets what it sends with `process.send`. */
  readonly onMessage?: (message: unknown) => void;
}

export interface GuardedProcess {
  readonly pid: number;
  /** Only with `hasInput`. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the process itself has ended; what it started may live a moment longer. Never rejects. */
  readonly ended: Promise<ProcessExit>;
  /** Resolves once the process and everything left in its group are gone. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Signals the process itself, not its group; false when it is gone. */
  readonly kill: (signal: NodeJS.Signals) => boolean;
  /** Signals everything in its group; false when that is gone. The guard heeds nothing but SIGKILL. */
  readonly killGroup: (signal: NodeJS.Signals) => boolean;
  /** Only with `onMessage`: sends it a message. One that cannot arrive any more is dropped. */
  readonly send: (message: object) => void;
}

/**
 * Starts a program that dies with this process.
 * A program that cannot be run ends with exit code 126 or 127 and the reason on its stderr.
 * @throws when no process can be started at all (no such folder, no right to change the user)
 */
export async function spawnGuarded(command: GuardedCommand): Promise<GuardedProcess> {
  const tenths = Math.ceil(command.orphanGraceMs / 100);
  const signal = command.orphanSignal.slice('SIG'.length);
  const child: ChildProcess = spawn('/bin/sh', ['-c', STARTER, 'sh', GUARD, signal, String(tenths), ...command.argv], {
    cwd: command.cwd,
    env: command.env ?? process.env,
    uid: command.user?.uid,
    gid: command.user?.gid,
    detached: true,
    stdio: stdioOf(command),
    serialization: 'advanced',
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => {});
  const link = child.stdio[3] as Socket;
  const guardGone = new Promise<void>((resolve) => link.once('close', () => resolve()));
  link.on('error', () => {});
  link.resume();
  if (command.onMessage) child.on('message', command.onMessage);
  // A program may end without reading its input.
  child.stdin?.on('error', () => {});
  const channelClosed = command.onMessage
    ? new Promise<void>((resolve) => child.once('disconnect', () => resolve()))
    : undefined;
  let groupGone = false;
  const childGone = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, exitSignal) => resolve({ code, signal: exitSignal }));
  });
  return {
    pid: child.pid as number,
    stdin: child.stdin,
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    ended: childGone,
    exited: childGone.then(async (exit) => {
      link.end();
      await guardGone;
      groupGone = true;
      // What was sent before the end may still be on its way.
      if (channelClosed) await withinMs(channelClosed, LAST_MESSAGE_LIMIT_MS);
      return exit;
    }),
    kill: (killSignal) => child.exitCode === null && child.signalCode === null && child.kill(killSignal),
    killGroup: (killSignal) => !groupGone && signalGroup(child.pid as number, killSignal),
    send: (message) => void (child.connected && child.send(message, () => {})),
  };
}

/** The fourth is the link to the guard; the fifth, Node's own channel between processes, the guard lets go. */
function stdioOf({ hasInput, onMessage }: GuardedCommand): StdioOptions {
  return [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe', ...(onMessage ? (['ipc'] as const) : [])];
}

function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** `exit code 1` or `signal SIGKILL`, for logs. */
export function describeExit(exit: ProcessExit): string {
  return exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`;
}

/**
 * Asks a process to end and, when it takes longer than it may, asks again more firmly.
 * @param escalation signals in order, each with how long to wait for the end after it; SIGKILL comes last by itself
 * @returns how the process ended
 */
export async function endProcess(
  guarded: Pick<GuardedProcess, 'kill' | 'exited'>,
  escalation: readonly { readonly signal: NodeJS.Signals; readonly waitMs: number }[],
): Promise<ProcessExit> {
  for (const { signal, waitMs } of escalation) {
    guarded.kill(signal);
    const exit = await withinMs(guarded.exited, waitMs);
    if (exit) return exit;
  }
  guarded.kill('SIGKILL');
  return guarded.exited;
}

/** What `promise` gives, or undefined when that takes longer than `limitMs`. */
export async function withinMs<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
