import { HttpException } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Unavailable } from '#shared/domain/errors';
import type { Logger } from '#shared/runtime/logger';
import { type AccessRules, ANONYMOUS } from './access-rules';
import type { CallNotes } from './call-notes';

export interface CallHooks {
  readonly access: AccessRules;
  readonly notes: CallNotes;
  readonly log: Logger;
  /** Whether the store has been reached: before that hardly a call under /v1 can be answered. */
  readonly storeIsThere: () => boolean;
}

const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** They say what they know, also when that is nothing. */
const WITHOUT_STORE = new Set(['/v1/ingest/resource_status', '/v1/ingest/resource_history']);

/**
 * What happens around every call: who may make it is decided before its body is read, and who changed what is logged.
 * The route that the router matched decides, not the address as it was written, which has many spellings.
 */
export function addCallHooks(app: NestFastifyApplication, { access, notes, log, storeIsThere }: CallHooks): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request;
    const route = request.routeOptions.url ?? pathOf(request.url);
    const decision = access.decide({ method, headers, route });
    void reply.header('X-Content-Type-Options', 'nosniff');
    if (decision.kind === 'refused') return done(new HttpException(decision.detail, decision.status));
    if (decision.caller !== ANONYMOUS) notes.setCaller(request, decision.caller);
    if (!isApi(route)) return done();
    void reply.header('Cache-Control', 'no-store');
    done(
      storeIsThere() || WITHOUT_STORE.has(route)
        ? undefined
        : new Unavailable('The database has not been reached yet.', 2),
    );
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url;
    if (route !== undefined && isApi(route) && CHANGES.has(request.method)) {
      const { method, params } = request;
      log.info(
        {
          key: notes.callerOf(request),
          call: `${method} ${route}`,
          params,
          ...notes.of(request),
          status: reply.statusCode,
        },
        'called',
      );
    }
    done();
  });
}

const isApi = (route: string): boolean => route === '/v1' || route.startsWith('/v1/');

function pathOf(url: string): string {
  const path = url.split('?', 1)[0] ?? '';
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
