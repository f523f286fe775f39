import type { z } from 'zod';
import type { Problem } from '#shared/contracts/job';
import { CliError, EXIT } from './exit-codes';
import { oneLine } from './output/words';

/** The gateway refused the call. */
export class GatewayProblem extends CliError {
  override readonly name = 'GatewayProblem';

  constructor(readonly problem: Problem) {
    super(exitCodeOfHttp(problem.status), describeProblem(problem));
  }

  /** Whether the same call may succeed later. */
  get isPassing(): boolean {
    return this.problem.status >= 500 || this.problem.status === 429;
  }
}

function exitCodeOfHttp(status: number): number {
  switch (status) {
    case 401:
    case 403:
      return EXIT.notAuthorised;
    case 404:
      return EXIT.notFound;
    default:
      return EXIT.error;
  }
}

function describeProblem({ title, detail, errors = [], status }: Problem): string {
  const said = detail === undefined || detail === title ? title : `${title.replace(/\.$/, '')}: ${detail}`;
  const places = errors.map(({ path, message }) => `\n  ${path === '' ? '' : `${oneLine(path)}: `}${oneLine(message)}`);
  const hint = status === 401 ? '\nSet SLUICE_API_KEY to a key that the gateway knows.' : '';
  return `${oneLine(said)}${places.join('')}${hint}`;
}

/** Nobody answered. */
export class GatewayUnreachable extends CliError {
  override readonly name = 'GatewayUnreachable';

  constructor(url: URL, reason: string) {
    super(
      EXIT.error,
      `Cannot reach the gateway at ${url.origin} (${reason}).\n` +
        'Start it with `npm start`, or say where it is with --url or SLUICE_URL.',
    );
  }
}

/** Somebody answered, but not as the contract has it: most likely something else listens there. */
export class UnexpectedAnswer extends CliError {
  override readonly name = 'UnexpectedAnswer';

  constructor(url: URL, error: z.ZodError) {
    const issue = error.issues[0];
    const where = issue && issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : '';
    super(
      EXIT.error,
      `The answer from ${url.origin}${url.pathname} is not one of a Sluice gateway (${where}${issue?.message ?? 'empty'}).`,
    );
  }
}
