import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import pino from 'pino';
import { uuidv7 } from 'uuidv7';
import type { EventSource } from '../../apps/gateway/src/events/event-source';
import { AccessRules } from '../../apps/gateway/src/http/access-rules';
import { loadApiKeys } from '../../apps/gateway/src/http/api-keys';
import { JobsInMemory, portOf, refusalOf, SocketClient, startSockets } from './ws-stage';

const KEY = 'k_that_nobody_may_see';
const SILENCE: EventSource = {
  connected: true,
  subscribe: () => () => undefined,
  inForce: () => Promise.resolve(),
  onConnect: () => undefined,
};

const apps: NestFastifyApplication[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

/** A gateway's sockets with a finished job, and all that it logged. */
async function stage(withKeys: boolean): Promise<{ port: number; path: string; logged: string[] }> {
  const logged: string[] = [];
  const out = new Writable({
    write(chunk: Buffer, _, done) {
      logged.push(chunk.toString());
      done();
    },
  });
  const apiKeys = withKeys ? `alice:${createHash('sha256').update(KEY).digest('hex')}` : null;
  const keys = await loadApiKeys({ apiKeys, apiKeysFile: null });
  const access = new AccessRules(keys, { allowedHosts: [], allowedOrigins: ['https://listed.example'] });
  const jobs = new JobsInMemory();
  const jobId = uuidv7();
  jobs.put(jobId, 1, { status: 'completed' });
  const app = await startSockets({ source: SILENCE, jobs, access, log: pino({ level: 'trace' }, out) });
  apps.push(app);
  return { port: portOf(app), path: `/v1/ingest/ws/status/${jobId}`, logged };
}

describe('a WebSocket', () => {
  it('is refused to pages of another origin and to callers by another name', async () => {
    const { port, path } = await stage(false);
    const foreign: Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { host: 'evil.example' },
    ];
    for (const headers of foreign) {
      for (const each of [path, '/v1/ingest/ws']) {
        const { status, body } = await refusalOf(port, each, headers);
        expect(status).toBe(403);
        expect(JSON.parse(body)).toMatchObject({ type: 'about:blank', title: 'Forbidden', status: 403 });
      }
    }
  });

  it.each([[undefined], ['https://listed.example'], ['own']])('is open to the origin %s', async (origin) => {
    const { port, path } = await stage(false);
    const own = origin === 'own' ? `http://127.0.0.1:${port}` : origin;
    expect(await new SocketClient(port, path, { origin: own }).closeCode()).toBe(1000);
  });

  it('needs a key where keys are configured, as a header or in the address', async () => {
    const { port, path, logged } = await stage(true);
    expect((await refusalOf(port, path)).status).toBe(401);
    expect((await refusalOf(port, path, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await refusalOf(port, `${path}?access_token=${KEY}x`)).status).toBe(401);
    const byHeader = new SocketClient(port, path, { headers: { authorization: `Bearer ${KEY}` } });
    expect(await byHeader.closeCode()).toBe(1000);
    const byAddress = new SocketClient(port, `${path}?access_token=${KEY}`);
    expect(await byAddress.closeCode()).toBe(1000);
    expect(byAddress.inShort()).toEqual(['snapshot v1']);
    expect(logged.length).toBeGreaterThan(0);
    expect(logged.join('')).not.toContain(KEY);
  });
});
