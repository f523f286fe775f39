import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import type { CommandOptions } from '#shared/contracts/handlers/command';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { describeExit, type ProcessExit } from '#shared/runtime/embedded/guardian';

type Program = Pick<CommandOptions, 'command' | 'cwd' | 'permanent_exit_codes'>;

const MAX_LINE_CHARACTERS = 500;

/** What the shell that starts programs exits with when it cannot; a program may do so too. */
const CANNOT_RUN = 126;
const NOT_FOUND = 127;

/**
 * What an exit other than 0 means.
 * @param lastError the last line that the program wrote to its standard error, secrets hidden
 * @param env that the program had
 */
export function failureOf(
  options: Program,
  exit: ProcessExit,
  lastError: string,
  env: NodeJS.ProcessEnv,
): PermanentError | TransientError {
  const [program] = options.command;
  const { code, signal } = exit;
  const isPermanent = code !== null && options.permanent_exit_codes.includes(code);
  const Failure = isPermanent ? PermanentError : TransientError;
  const why = code === CANNOT_RUN || code === NOT_FOUND ? whyNotRunnable(options, env) : null;
  if (why !== null) return new Failure(`${program} cannot be started: ${why}`, 'command_not_started');
  const said = lastError
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, MAX_LINE_CHARACTERS);
  const message = `${program} ended with ${describeExit(exit)}${said === '' ? '' : `: ${said}`}`;
  return new Failure(message, signal === null ? `exit_${code}` : signal.toLowerCase());
}

/**
 * That no process could be started. It may pass, as what is not there may: another worker may have it, or this one once
 * it is installed. So it is tried again, like any exit code that the step does not call permanent.
 */
export function startFailure({ command: [program], cwd }: Program, error: unknown): TransientError {
  const why = cwd !== null && !isFolder(cwd) ? `this worker has no folder ${cwd}` : String(error);
  return new TransientError(`${program} cannot be started: ${why}`, 'command_not_started');
}

/** Why the program is none; null when it is one, and the exit code its own. */
function whyNotRunnable({ command: [program], cwd }: Program, env: NodeJS.ProcessEnv): string | null {
  const remedy = 'install it on this worker, or correct the command of the step';
  if (program.includes('/')) {
    const path = resolve(cwd ?? '.', program);
    if (isProgram(path)) return null;
    return exists(path) ? `it may not be executed; ${remedy}` : `there is no such file; ${remedy}`;
  }
  const folders = (env['PATH'] ?? '').split(delimiter);
  if (folders.some((folder) => isProgram(resolve(cwd ?? '.', folder, program)))) return null;
  return `there is no such program on the PATH; ${remedy}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statOf(path)?.isFile() === true;
  } catch {
    return false;
  }
}

const exists = (path: string): boolean => statOf(path) !== undefined;

const isFolder = (path: string): boolean => statOf(path)?.isDirectory() === true;

/** What may not be looked at counts as not there. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
