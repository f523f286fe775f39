import type { Command } from 'commander';
import type { CliIo } from './cli-io';
import { EXIT } from './exit-codes';
import { openSession, type Session } from './session';

/** What the commands share: the world, and the code that the process will end with. */
export class CliContext {
  exitCode: number = EXIT.ok;

  constructor(readonly io: CliIo) {}

  /** Runs a command's work; a number that it returns becomes the exit code. */
  async act(command: Command, work: (session: Session) => Promise<number | void>): Promise<void> {
    this.exitCode = (await work(openSession(command, this.io))) ?? EXIT.ok;
  }
}
