import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { until } from '../support/poll';
import { GatewayStage } from './gateway-stage';

const KEY = 'sluice_0123456789';
const hash = createHash('sha256').update(KEY).digest('hex');

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** fetch does not let a call choose its Host. */
function call(stage: GatewayStage, method: string, path: string, headers: NodeJS.Dict<string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: new URL(stage.url).port, method, path, headers };
    const request = httpRequest(options, (response) => {
      response.resume().on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          headers: response.headers,
        }),
      );
    });
    const body = method === 'POST' ? '{"pipeline": "chain"}' : '';
    if (body !== '') request.setHeader('Content-Type', 'application/json');
    request.on('error', reject).end(body);
  });
}

describe('without keys', () => {
  let stage: GatewayStage;
  beforeAll(async () => {
    stage = await GatewayStage.start({ env: { SLUICE_ALLOWED_ORIGINS: 'https://listed.example' } });
  });
  afterAll(() => stage.stop());

  it.each<[string, string, NodeJS.Dict<string>, number]>([
    ['GET', '/v1/ingest', {}, 200],
    ['GET', '/v1/ingest', { Host: 'localhost:99' }, 200],
    ['GET', '/v1/ingest', { Host: 'evil.example' }, 403],
    ['GET', '/nope', { Host: 'evil.example' }, 403],
    ['GET', '/metrics', { Host: 'gateway:3000' }, 200],
    ['GET', '/health/ready', { Host: 'gateway:3000' }, 200],
    ['GET', '/v1/ingest', { Origin: 'https://evil.example' }, 200],
    ['POST', '/v1/ingest', { Origin: 'https://evil.example' }, 403],
    ['POST', '/v1/ingest/batch', { Origin: 'null' }, 403],
    ['POST', '/v1/ingest', { Origin: 'https://listed.example' }, 202],
    ['POST', '/v1/ingest', { Host: 'localhost:99', Origin: 'http://localhost:99' }, 202],
  ])('%s %s with %j gives %d', async (method, path, headers, status) => {
    const reply = await call(stage, method, path, headers);
    expect(reply.status).toBe(status);
    if (status === 403) expect(reply.type).toMatch(/^application\/problem\+json/);
  });

  it('a page of a listed origin may ask and read, another may not', async () => {
    const ask = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' };
    const listed = await call(stage, 'OPTIONS', '/v1/ingest', { ...ask, Origin: 'https://listed.example' });
    expect(listed.status).toBe(204);
    expect(listed.headers['access-control-allow-origin']).toBe('https://listed.example');
    const other = await call(stage, 'OPTIONS', '/v1/ingest', { ...ask, Origin: 'https://evil.example' });
    expect(other.headers['access-control-allow-origin']).not.toBe('https://evil.example');
  });
});

describe('with keys', () => {
  let stage: GatewayStage;
  beforeAll(async () => {
    stage = await GatewayStage.start({ env: { SLUICE_API_KEYS: `alice:${hash}`, SLUICE_HOST: '127.0.0.1' } });
  });
  afterAll(() => stage.stop());

  it.each<[string, NodeJS.Dict<string>, number]>([
    ['/v1/ingest', {}, 401],
    ['/v1/ingest', { Authorization: 'Bearer wrong' }, 401],
    ['/v1/ingest', { Authorization: `Bearer ${KEY}`, Host: 'jobs.example' }, 200],
    ['/v1/ingest?access_token=' + KEY, {}, 401],
    ['/%76%31/ingest', {}, 401],
    ['//v1/ingest', {}, 404],
    ['/v1/nope', {}, 401],
    ['/v1/nope', { Authorization: `Bearer ${KEY}` }, 404],
    ['/docs', {}, 401],
    ['/openapi.json', {}, 401],
    ['/health/live', {}, 200],
    ['/health/ready', {}, 200],
    ['/metrics', {}, 200],
  ])('GET %s with %j gives %d', async (path, headers, status) => {
    const reply = await call(stage, 'GET', path, headers);
    expect(reply.status).toBe(status);
    expect(reply.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
  });

  it('a call that has none stores nothing, and its body is not even read', async () => {
    expect((await call(stage, 'POST', '/v1/ingest')).status).toBe(401);
    expect((await stage.post('/v1/ingest', 'x'.repeat(2_000_000)).catch(() => ({ status: 401 }))).status).toBe(401);
    expect(await stage.jobCount()).toBe(0);
  });

  it('the log has whose key it was, and never the key', async () => {
    expect((await call(stage, 'POST', '/v1/ingest', { Authorization: `Bearer ${KEY}` })).status).toBe(202);
    const line = await until(() => stage.lines.find((each) => each.includes('"alice"')), { what: 'the line' });
    expect(JSON.parse(line)).toMatchObject({ key: 'alice', call: 'POST /v1/ingest', status: 202 });
    expect(stage.lines.filter((each) => each.includes(KEY))).toEqual([]);
  });
});

describe('it does not start', () => {
  it.each<[string, NodeJS.ProcessEnv, RegExp]>([
    ['open to all without being told so', { SLUICE_HOST: '0.0.0.0' }, /SLUICE_ALLOW_ANONYMOUS=true/],
    ['with keys that are none', { SLUICE_API_KEYS: 'alice' }, /SLUICE_API_KEYS: expected NAME:SHA256-HEX/],
    ['with a file of keys that is not there', { SLUICE_API_KEYS_FILE: '/no/such' }, /SLUICE_API_KEYS_FILE/],
    ['with pipelines that are none', { SLUICE_CONFIG: '/no/such' }, /\/no\/such/],
  ])('%s', async (_, env, message) => {
    await expect(GatewayStage.start({ env })).rejects.toMatchObject({
      message: expect.stringMatching(message) as string,
      exitCode: 2,
    });
  });
});
