import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import type { Problem } from '#shared/contracts/job';
import { Conflict, InvalidInput, NotFound, Unavailable } from '#shared/domain/errors';
import { isPassingDatabaseError } from '#shared/store/database-error';
import { QueueFull } from '#shared/store/group-commit';

/** An error as an HTTP answer. */
export interface ProblemAnswer {
  readonly problem: Problem;
  readonly retryAfterSeconds?: number;
  /** Nobody foresaw it: it belongs in the log. */
  readonly surprise?: boolean;
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** What is said for statuses that Fastify and Nest answer with; their own words name their insides. */
const DETAILS: Readonly<Record<number, string>> = {
  413: 'The body is larger than 1 MiB.',
  415: 'A body has to be JSON, sent with "Content-Type: application/json".',
};

/** RFC 9457, without a type of its own: the status says what kind it is. */
export function problem(status: number, detail: string, errors?: Problem['errors']): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, ...(errors && { errors }) };
}

/** Why a call failed, in words for whoever made it: no stack, no SQL, no host. */
export function problemOf(error: unknown): ProblemAnswer {
  if (error instanceof InvalidInput) return { problem: problem(422, error.message, [...error.errors]) };
  if (error instanceof NotFound) return { problem: problem(404, error.message) };
  if (error instanceof Conflict) return { problem: problem(409, error.message) };
  if (error instanceof Unavailable) {
    return { problem: problem(503, error.message), retryAfterSeconds: error.retryAfterSeconds };
  }
  if (error instanceof QueueFull) {
    return { problem: problem(503, 'More is being submitted than can be stored now.'), retryAfterSeconds: 1 };
  }
  if (error instanceof HttpException) return { problem: httpProblem(error) };
  if (isStoreAway(error)) {
    return { problem: problem(503, 'The database cannot be reached now.'), retryAfterSeconds: 2 };
  }
  return { problem: problem(500, 'Something went wrong here. The log says what.'), surprise: true };
}

function httpProblem(error: HttpException): Problem {
  const status = error.getStatus();
  const [, call] = /^Cannot ([A-Z]+ .{0,500})/.exec(error.message) ?? [];
  const nothingThere = status === 404 && call !== undefined ? `There is nothing at ${call.split('?')[0]}.` : undefined;
  return problem(status, DETAILS[status] ?? nothingThere ?? error.message);
}

/** Node's own codes for wrong calls are faults in the code, not in the database. */
function isStoreAway(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return !(typeof code === 'string' && code.startsWith('ERR_')) && isPassingDatabaseError(error);
}
