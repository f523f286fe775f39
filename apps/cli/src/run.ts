import { CommanderError } from 'commander';
import { CliContext } from './cli-context';
import type { CliIo } from './cli-io';
import { CliError, EXIT } from './exit-codes';
import { coloursFor } from './output/colours';
import { buildProgram } from './program';

/**
 * Runs one command line.
 * @param args what follows the program's name
 * @returns the exit code; everything that there is to say has been written
 */
export async function run(args: readonly string[], io: CliIo, version = '0.0.0'): Promise<number> {
  const context = new CliContext(io);
  try {
    await buildProgram(context, version).parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (io.signal.aborted) return EXIT.interrupted;
    if (!(error instanceof CliError)) throw error;
    io.stderr.write(`${coloursFor(io.stderr, io.env).red('error:')} ${error.message}\n`);
    return error.exitCode;
  }
}
