import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { Logger } from '#shared/runtime/logger';
import { PROBLEM_TYPE, problemOf } from './problems';

/** What is used of Fastify's reply. */
interface Reply {
  readonly sent: boolean;
  status(code: number): Reply;
  header(name: string, value: string): Reply;
  send(body: unknown): unknown;
}

/** Answers every error of every call with a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const { problem, retryAfterSeconds, surprise } = problemOf(error);
    if (surprise || problem.status === 503) {
      const { method, routeOptions } = http.getRequest<{ method: string; routeOptions?: { url?: string } }>();
      const details = { err: error, method, route: routeOptions?.url };
      if (surprise) this.log.error(details, 'a call failed');
      else this.log.warn(details, 'a call has to be made again');
    }
    const reply = http.getResponse<Reply>();
    if (reply.sent) return;
    if (retryAfterSeconds !== undefined) reply.header('Retry-After', String(Math.ceil(retryAfterSeconds)));
    if (problem.status === 401) reply.header('WWW-Authenticate', 'Bearer');
    reply.status(problem.status).header('Content-Type', PROBLEM_TYPE);
    reply.send(JSON.stringify(problem));
  }
}
