import { createColors } from 'picocolors';
import type { JobStatus, StepStatus } from '#shared/domain/status';
import type { CliIo, OutStream } from '../cli-io';

export type Colours = ReturnType<typeof createColors>;

/** Colours for a stream: none when it is no terminal, or when NO_COLOR is set. */
export function coloursFor(stream: OutStream, env: CliIo['env']): Colours {
  return createColors(stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb');
}

export function colouredStatus(status: JobStatus | StepStatus, colours: Colours): string {
  switch (status) {
    case 'completed':
      return colours.green(status);
    case 'failed':
      return colours.red(status);
    case 'retrying':
    case 'cancelling':
      return colours.yellow(status);
    case 'running':
      return colours.cyan(status);
    case 'skipped':
    case 'cancelled':
      return colours.dim(status);
    default:
      return status;
  }
}
