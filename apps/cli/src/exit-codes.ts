import type { JobStatus } from '#shared/domain/status';

/** What the process ends with. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  notAuthorised: 3,
  notFound: 4,
  jobFailed: 5,
  jobCancelled: 6,
  timedOut: 7,
  interrupted: 130,
} as const;

/** The command ends here: `message` is for people, the code for scripts. */
export class CliError extends Error {
  override readonly name: string = 'CliError';

  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** The command cannot be understood as it was written. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(message: string) {
    super(EXIT.usage, message);
  }
}

/** The code for a job that was waited for. */
export function exitCodeOf(status: JobStatus): number {
  switch (status) {
    case 'failed':
      return EXIT.jobFailed;
    case 'cancelled':
      return EXIT.jobCancelled;
    default:
      return EXIT.ok;
  }
}
