import { createHash } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { AccessRules, refuseOpenDoor } from './access-rules';
import { type ApiKeys, loadApiKeys } from './api-keys';

const KEY = 'k_0123456789';
const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');
const keysOf = (text: string | null): Promise<ApiKeys> => loadApiKeys({ apiKeys: text, apiKeysFile: null });

async function rules(options: { keys?: boolean; hosts?: string[]; origins?: string[] } = {}): Promise<AccessRules> {
  const keys = await keysOf(options.keys ? `alice:${hashOf(KEY)},bob:${hashOf('other')}` : null);
  return new AccessRules(keys, { allowedHosts: options.hosts ?? [], allowedOrigins: options.origins ?? [] });
}
const outcome = (access: ReturnType<AccessRules['decide']>): number | string =>
  access.kind === 'allowed' ? access.caller : access.status;

describe('without keys', () => {
  it.each([
    ['localhost', 'anonymous'],
    ['localhost:3000', 'anonymous'],
    ['LOCALHOST:3000', 'anonymous'],
    ['127.0.0.1:3000', 'anonymous'],
    ['[::1]:3000', 'anonymous'],
    ['jobs.example:80', 'anonymous'],
    ['evil.example', 403],
    ['evil.example:3000', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example:3000', 403],
    ['', 403],
  ])('the host %j gives %s', async (host, expected) => {
    const access = await rules({ hosts: ['jobs.example'] });
    expect(outcome(access.decide({ method: 'GET', headers: { host }, route: '/v1/ingest' }))).toBe(expected);
  });

  it('lets probes and collectors call by any name', async () => {
    for (const route of ['/health/live', '/health/ready', '/metrics']) {
      const access = await rules();
      expect(outcome(access.decide({ method: 'GET', headers: { host: 'gateway:3000' }, route }))).toBe('anonymous');
    }
  });
});

describe('the origin', () => {
  it.each([
    [undefined, 'POST', 'anonymous'],
    ['http://localhost:3000', 'POST', 'anonymous'],
    ['https://listed.example', 'POST', 'anonymous'],
    ['https://evil.example', 'GET', 'anonymous'],
    ['https://evil.example', 'POST', 403],
    ['https://evil.example', 'DELETE', 403],
    ['http://localhost:4000', 'POST', 403],
    ['http://127.0.0.1:3000', 'POST', 403],
    ['null', 'POST', 403],
  ])('%j with %s gives %s', async (origin, method, expected) => {
    const access = await rules({ origins: ['https://listed.example'] });
    const headers = { host: 'localhost:3000', origin };
    expect(outcome(access.decide({ method, headers, route: '/v1/ingest' }))).toBe(expected);
  });
});

describe('with keys', () => {
  it.each([
    ['/v1/ingest', `Bearer ${KEY}`, 'alice'],
    ['/v1/ingest/:id', `bearer  ${KEY}`, 'alice'],
    ['/v1/ingest', 'Bearer other', 'bob'],
    ['/v1/ingest', 'Bearer wrong', 401],
    ['/v1/ingest', `Bearer ${hashOf(KEY)}`, 401],
    ['/v1/ingest', `Basic ${KEY}`, 401],
    ['/v1/ingest', 'Bearer ', 401],
    ['/v1/ingest', undefined, 401],
    ['/v1/no-such-thing', undefined, 401],
    ['/docs', undefined, 401],
    ['/openapi.json', undefined, 401],
    ['/', undefined, 'anonymous'],
    ['/assets/*', undefined, 'anonymous'],
    ['/health/ready', undefined, 'anonymous'],
  ])('%s with %j gives %s', async (route, authorization, expected) => {
    const access = await rules({ keys: true });
    const headers = { host: 'jobs.example', authorization };
    expect(outcome(access.decide({ method: 'GET', headers, route }))).toBe(expected);
  });

  it.each([
    [`/v1/ingest/ws?access_token=${KEY}`, {}, undefined],
    ['/v1/ingest/ws', { authorization: `Bearer ${KEY}` }, undefined],
    ['/v1/ingest/ws', {}, 401],
    ['/v1/ingest/ws?access_token=wrong', {}, 401],
    [`/v1/ingest/ws?access_token=${KEY}`, { origin: 'https://evil.example' }, 403],
  ])('a socket at %s with %j is refused with %s', async (url, headers, expected) => {
    const request = new IncomingMessage(new Socket());
    request.url = url;
    request.headers = { host: 'jobs.example', ...headers };
    expect((await rules({ keys: true })).refusal(request)?.status).toBe(expected);
  });
});

describe('what is configured', () => {
  it.each([
    ['alice', 'entry 1'],
    [`alice:${hashOf(KEY)},bob:short`, 'entry 2'],
    [`alice:${hashOf(KEY)},alice:${hashOf('x')}`, 'alice is given to two keys'],
    [`two words:${hashOf(KEY)}`, 'entry 1'],
  ])('%s is refused', async (text, expected) => {
    const failure = await keysOf(text).catch((error: unknown) => String(error));
    expect(failure).toContain(expected);
    expect(failure).not.toContain('short');
  });

  it('is refused when the file is not there', async () => {
    await expect(loadApiKeys({ apiKeys: null, apiKeysFile: '/no/such/file' })).rejects.toThrow('ENOENT');
  });

  it.each([
    ['0.0.0.0', false, false, true],
    ['::', false, false, true],
    ['jobs.example', false, false, true],
    ['0.0.0.0', true, false, false],
    ['0.0.0.0', false, true, false],
    ['127.0.0.1', false, false, false],
    ['127.1.2.3', false, false, false],
    ['::1', false, false, false],
    ['localhost', false, false, false],
  ])('at %s, anonymous %s, keys %s: refused to start: %s', async (host, allowAnonymous, withKeys, refuses) => {
    const keys = await keysOf(withKeys ? `alice:${hashOf(KEY)}` : null);
    const start = (): void => refuseOpenDoor({ host, allowAnonymous }, keys);
    if (refuses) expect(start).toThrow('SLUICE_ALLOW_ANONYMOUS=true');
    else expect(start).not.toThrow();
  });
});
