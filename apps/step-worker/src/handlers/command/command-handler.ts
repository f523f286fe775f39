import type { StepContext, StepHandler } from '#shared/contracts/handler';
import { commandDefinition, type CommandOptions } from '#shared/contracts/handlers/command';
import type { Json } from '#shared/domain/json';
import { PermanentError } from '#shared/domain/step-errors';
import type { GuardedProcess } from '#shared/runtime/embedded/guardian';
import { recordFigures } from '../../processes/own-figures';
import { type ProcessGroups, readToEnd, type RunningGroup } from '../../processes/process-groups';
import { SecretMask } from '../secrets/secret-mask';
import type { SecretReader } from '../secrets/secret-reader';
import { commandEnvironment } from './command-environment';
import { failureOf, startFailure } from './command-failure';
import { CommandOutput, type LastLine } from './command-output';
import { CommandProgress } from './command-progress';
import { ErrorLines } from './error-lines';

export interface CommandHandlerDeps {
  readonly secrets: SecretReader;
  readonly groups: ProcessGroups;
  /** The worker's. */
  readonly env: NodeJS.ProcessEnv;
  /** Variables that hold secrets of steps. */
  readonly secretNames: ReadonlySet<string>;
}

/**
 * Runs a program with the job on its standard input. The attempt ends when the program and all that it started in its
 * group are gone, so that a retry never overlaps it.
 */
export class CommandHandler implements StepHandler<CommandOptions> {
  readonly definition = commandDefinition;

  constructor(private readonly deps: CommandHandlerDeps) {}

  async run(context: StepContext<CommandOptions>): Promise<Json> {
    const { options, signal } = context;
    const { values, secrets } = await this.deps.secrets.resolve(options.env);
    const mask = new SecretMask(secrets);
    const env = commandEnvironment(this.deps.env, this.deps.secretNames, context, values);
    const group = await this.start(options, env, signal);
    group.process.stdin?.end(`${inputOf(context)}\n`);
    const shown = (text: string, isCut: boolean): string => mask.text(text, isCut);
    const errors = readErrors(group.process, new ErrorLines(shown, (line) => context.log('info', line)));
    const progress = new CommandProgress(shown, (percent, message) => context.progress(percent, message));
    const output = readOutput(group.process, progress);
    const { exit, figures, wasStopped } = await group.ended;
    recordFigures(context, figures);
    const [lastLine, lastError] = await Promise.all([output, errors]);
    // Told to stop, many programs exit with 0, their work not done.
    if (wasStopped) throw signal.reason;
    if (exit.code !== 0) throw failureOf(options, exit, lastError, env);
    return mask.json(outputOf(lastLine, (line) => context.log('warn', line)));
  }

  private async start(options: CommandOptions, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<RunningGroup> {
    try {
      const cwd = options.cwd ?? undefined;
      return await this.deps.groups.start({ argv: options.command, cwd, env, hasInput: true }, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw startFailure(options, error);
    }
  }
}

function inputOf({ jobId, step, attempt, idempotencyKey, input, outputs }: StepContext<CommandOptions>): string {
  const about = { job_id: jobId, step, attempt, idempotency_key: idempotencyKey };
  return JSON.stringify({ ...about, input: input.input, outputs });
}

/** @returns the last line that is not blank, once the program has printed all */
async function readErrors(process: GuardedProcess, lines: ErrorLines): Promise<string> {
  process.stderr.on('data', (chunk: Buffer) => lines.add(chunk));
  process.stderr.on('error', () => undefined);
  await readToEnd(process.stderr, process);
  return lines.end();
}

async function readOutput(process: GuardedProcess, progress: CommandProgress): Promise<LastLine> {
  const output = new CommandOutput((line) => progress.add(line));
  process.stdout.on('data', (chunk: Buffer) => output.add(chunk));
  process.stdout.on('error', () => undefined);
  await readToEnd(process.stdout, process);
  const last = output.end();
  progress.end();
  return last;
}

function outputOf(lastLine: LastLine, log: (line: string) => void): Json {
  switch (lastLine.kind) {
    case 'output':
      return lastLine.output;
    case 'too_long':
      throw new PermanentError('the last line of the output of the program has more than 1 MiB', 'bad_output');
    case 'broken':
      log('the last line of the output begins like a JSON object and is none: the output of the step is {}');
      return {};
    case 'none':
      return {};
  }
}
