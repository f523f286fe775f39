import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ServiceConfig } from '#shared/runtime/config';
import { ConfigError } from '#shared/runtime/config';
import type { ApiKeys } from './api-keys';

/** A call as far as access goes. */
export interface Call {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** What the router has matched, such as `/v1/ingest/:id`; the path itself when there is no such route. */
  readonly route: string;
}

export type Access =
  /** `caller`: the name of the key, or `anonymous`. */
  | { readonly kind: 'allowed'; readonly caller: string }
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly detail: string };

export const ANONYMOUS = 'anonymous';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);
/** For probes and collectors, which call by whatever name the network gives the service. They tell nothing of jobs. */
const OPEN_TO_ANY_HOST = new Set(['/health/live', '/health/ready', '/metrics']);
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Who may call what.
 * - With API keys, everything under `/v1` and the API's description needs one.
 * - Without, the `Host` must be this machine's: a page that has its own name point here (DNS rebinding) gets nothing.
 * - A page of another origin may not change anything, nor open a socket, unless its origin is listed.
 */
export class AccessRules {
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;

  constructor(
    private readonly keys: ApiKeys,
    config: Pick<ServiceConfig, 'allowedHosts' | 'allowedOrigins'>,
  ) {
    this.hosts = new Set([...LOOPBACK_NAMES, ...config.allowedHosts.map((host) => host.toLowerCase())]);
    this.origins = new Set(config.allowedOrigins.map((origin) => origin.toLowerCase()));
  }

  /** Whether a call may go on. */
  decide(call: Call): Access {
    if (OPEN_TO_ANY_HOST.has(call.route)) return allowed(ANONYMOUS);
    if (this.isPreflight(call)) return allowed(ANONYMOUS);
    const refusal =
      this.hostRefusal(call.headers) ?? (READS.has(call.method) ? null : this.originRefusal(call.headers));
    if (refusal) return refusal;
    if (!this.keys.required || !needsKey(call.route)) return allowed(ANONYMOUS);
    return this.keyDecision(bearerOf(call.headers));
  }

  /** Why a request may not become a socket; null when it may. The key may come as `?access_token=` too. */
  refusal(request: IncomingMessage): { readonly status: number; readonly detail: string } | null {
    const refusal = this.hostRefusal(request.headers) ?? this.originRefusal(request.headers);
    if (refusal) return refusal;
    if (!this.keys.required) return null;
    const decision = this.keyDecision(bearerOf(request.headers) ?? accessTokenOf(request.url ?? ''));
    return decision.kind === 'refused' ? decision : null;
  }

  /** Whether pages of this origin may read the answers. */
  isListed(origin: string): boolean {
    return this.origins.has(origin.toLowerCase());
  }

  /** A browser asks, without a key, whether a page of a listed origin may call. */
  private isPreflight({ method, headers }: Call): boolean {
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
    return headers.origin !== undefined && this.isListed(headers.origin) && !this.hostRefusal(headers);
  }

  private keyDecision(key: string | null): Access {
    if (key === null) return refused(401, 'This call needs an API key: send "Authorization: Bearer KEY".');
    const name = this.keys.nameOf(key);
    return name === null ? refused(401, 'The API key is not valid.') : allowed(name);
  }

  private hostRefusal(headers: IncomingHttpHeaders): Refused | null {
    if (this.keys.required) return null;
    const host = (headers.host ?? '').toLowerCase();
    if (this.hosts.has(host) || this.hosts.has(host.replace(/:\d+$/, ''))) return null;
    return refused(403, 'The Host is none that this service answers to. SLUICE_ALLOWED_HOSTS names further ones.');
  }

  private originRefusal(headers: IncomingHttpHeaders): Refused | null {
    const { origin } = headers;
    if (origin === undefined || this.isListed(origin)) return null;
    if (URL.canParse(origin) && new URL(origin).host === (headers.host ?? '').toLowerCase()) return null;
    return refused(
      403,
      'Calls from pages of this origin are not allowed. SLUICE_ALLOWED_ORIGINS names those that are.',
    );
  }
}

/**
 * Without keys only this machine may reach the gateway, unless that is said to be wanted.
 * @throws ConfigError that says what to do
 */
export function refuseOpenDoor(config: Pick<ServiceConfig, 'host' | 'allowAnonymous'>, keys: ApiKeys): void {
  if (keys.required || config.allowAnonymous || isLoopback(config.host)) return;
  throw new ConfigError([
    `SLUICE_HOST: ${config.host} can be reached from other machines, and there are no API keys: configure ` +
      'SLUICE_API_KEYS or SLUICE_API_KEYS_FILE, or set SLUICE_ALLOW_ANONYMOUS=true to let everybody in',
  ]);
}

type Refused = Extract<Access, { kind: 'refused' }>;

const allowed = (caller: string): Access => ({ kind: 'allowed', caller });
const refused = (status: 401 | 403, detail: string): Refused => ({ kind: 'refused', status, detail });

/** Everything but the dashboard's own files and what probes ask for. */
const needsKey = (route: string): boolean => /^\/(?:v1|docs|openapi\.json)(?:[/?]|$)/.test(route);

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

function bearerOf(headers: IncomingHttpHeaders): string | null {
  return /^Bearer +([^\s]{1,500})$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

function accessTokenOf(url: string): string | null {
  const start = url.indexOf('?');
  return start < 0 ? null : new URLSearchParams(url.slice(start)).get('access_token');
}
