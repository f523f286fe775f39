/** What a `NATS_URL` says, in the words of the `nats` client, which itself reads only host and port from a URL. */
export interface NatsAddress {
  readonly servers: string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  readonly tls?: Record<string, never>;
}

/**
 * Reads `nats://[user:password@|token@]host[:port]`, several separated by commas. The credentials are those of the
 * first that has any. Throws an error that names what was expected, without the credentials.
 */
export function parseNatsUrl(text: string): NatsAddress {
  const urls = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseOne);
  if (urls.length === 0) throw new Error('expected nats://host:port, found nothing');
  const secured = urls.find((url) => url.username !== '');
  return {
    servers: urls.map((url) => `${url.hostname}:${url.port || '4222'}`),
    ...(urls.some((url) => url.protocol === 'tls:') && { tls: {} }),
    ...(secured && credentials(secured)),
  };
}

function parseOne(part: string): URL {
  const withScheme = part.includes('://') ? part : `nats://${part}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (!url || url.hostname === '' || !['nats:', 'tls:'].includes(url.protocol)) {
    throw new Error(`expected nats://host:port, found "${part.replace(/\/\/[^@]*@/, '//***@')}"`);
  }
  return url;
}

function credentials(url: URL): Pick<NatsAddress, 'user' | 'pass' | 'token'> {
  const user = decodeURIComponent(url.username);
  return url.password === '' ? { token: user } : { user, pass: decodeURIComponent(url.password) };
}
