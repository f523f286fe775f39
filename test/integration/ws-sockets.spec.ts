import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { uuidv7 } from 'uuidv7';
import { BusEvents } from '../../apps/gateway/src/events/bus-events';
import type { LiveLimits } from '../../apps/gateway/src/events/live-feed';
import { LiveViews } from '../../apps/gateway/src/events/live-views';
import type { SocketAccess } from '../../apps/gateway/src/events/upgrade-gate';
import pino from 'pino';
import { publishEvents } from '#shared/bus/live-events';
import { NatsBus } from '#shared/bus/nats-bus';
import type { LiveEvent } from '#shared/contracts/live-event';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { deafClient, JobsInMemory, portOf, refusalOf, SocketClient, startSockets } from './ws-stage';

const log = pino({ level: 'silent' });
const statusPath = (id: string): string => `/v1/ingest/ws/status/${id}`;
const EVERYONE: SocketAccess = { refusal: () => null };

let nats: TestNats;
let bus: NatsBus;
let workers: NatsBus;
const apps: NestFastifyApplication[] = [];

beforeAll(async () => {
  nats = await startTestNats();
  bus = await NatsBus.connect({ url: nats.url, name: 'gateway', log });
  workers = await NatsBus.connect({ url: nats.url, name: 'workers', log });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

afterAll(async () => {
  await Promise.all([bus.close(1_000), workers.close(1_000)]);
  await nats.stop();
});

interface Stage {
  readonly app: NestFastifyApplication;
  readonly port: number;
  readonly jobs: JobsInMemory;
  readonly source: BusEvents;
  /** A job at version 1. */
  readonly jobId: string;
  readonly connect: (path: string) => SocketClient;
}

async function stage(limits: Partial<LiveLimits> = {}, access: SocketAccess = EVERYONE): Promise<Stage> {
  const jobs = new JobsInMemory();
  const source = new BusEvents(bus, log);
  const app = await startSockets({ source, jobs, access, limits });
  apps.push(app);
  const port = portOf(app);
  const jobId = uuidv7();
  jobs.put(jobId, 1);
  return { app, port, jobs, source, jobId, connect: (path) => new SocketClient(port, path) };
}

function publish(jobId: string, version: number, event: LiveEvent['event'] = 'step.started', message?: string): void {
  const at = new Date().toISOString();
  publishEvents(workers, jobId, JSON.stringify({ job_id: jobId, version, events: [{ event, at, message }] }));
}

describe('the socket of one job', () => {
  it('sends the snapshot, then each event in order, and closes with 1000 after the last one', async () => {
    const { jobId, connect } = await stage();
    const client = connect(statusPath(jobId));
    const [snapshot] = await client.messages(1);
    expect(snapshot).toEqual({ type: 'snapshot', job: { id: jobId, status: 'running', steps: [], version: 1 } });
    publish(jobId, 2);
    publish(jobId, 4);
    publish(jobId, 2);
    publish(jobId, 0, 'step.progress');
    publish(jobId, 3);
    publish(jobId, 5, 'job.completed');
    expect(await client.closeCode()).toBe(1000);
    expect(client.inShort()).toEqual([
      'snapshot v1',
      'event 1 v2',
      'event 2 v2',
      'event 3 v3',
      'event 4 v4',
      'event 5 v5',
    ]);
    expect(client.received.at(-1)).toEqual({
      type: 'event',
      event: 'job.completed',
      job_id: jobId,
      seq: 5,
      version: 5,
      at: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
    });
  });

  it('sends the snapshot of a finished job and closes with 1000', async () => {
    const { jobs, jobId, connect } = await stage();
    jobs.put(jobId, 9, { status: 'cancelled' });
    const client = connect(statusPath(jobId));
    expect(await client.closeCode()).toBe(1000);
    expect(client.inShort()).toEqual(['snapshot v9']);
  });

  it.each([
    ['unknown', uuidv7()],
    ['malformed', 'nonsense'],
    ['empty', ''],
    ['encoded', '%00%ff'],
  ])('closes with 1008 and a reason for an id that is %s', async (_, id) => {
    const { connect } = await stage();
    const client = connect(statusPath(id));
    expect(await client.closeCode()).toBe(1008);
    expect(client.closed?.reason).toBe('there is no such job');
    expect(client.received).toEqual([]);
  });

  it('takes an id in capitals for the same job', async () => {
    const { jobId, connect } = await stage();
    const client = connect(statusPath(jobId.toUpperCase()));
    await client.messages(1);
    publish(jobId, 2);
    await client.messages(2);
    expect(client.inShort()).toEqual(['snapshot v1', 'event 1 v2']);
  });

  it('ignores what the client says, and cuts off one that says too much', async () => {
    const { jobId, connect } = await stage();
    const client = connect(statusPath(jobId));
    await client.messages(1);
    client.say('nonsense');
    client.say({ action: 'subscribe', all: true });
    client.ws.send(Buffer.from([0, 255, 1]));
    publish(jobId, 2);
    await client.messages(2);
    client.say('x'.repeat(65_537));
    expect(await client.closeCode()).toBe(1009);
    expect(client.inShort()).toEqual(['snapshot v1', 'event 1 v2']);
  });

  it('sends a new snapshot when an event got lost', async () => {
    const { jobs, jobId, connect } = await stage();
    const client = connect(statusPath(jobId));
    await client.messages(1);
    jobs.put(jobId, 3);
    publish(jobId, 3);
    await client.messages(2);
    publish(jobId, 4);
    await client.messages(3);
    expect(client.inShort()).toEqual(['snapshot v1', 'snapshot v3', 'event 1 v4']);
  });

  it('finds at the heartbeat that the last event got lost', async () => {
    const { jobs, jobId, connect } = await stage({ heartbeatMs: 300 });
    const client = connect(statusPath(jobId));
    await client.messages(1);
    jobs.put(jobId, 2, { status: 'completed' });
    expect(await client.closeCode()).toBe(1000);
    expect(client.inShort()).toEqual(['snapshot v1', 'snapshot v2']);
    expect(client.received.map(({ type }) => type)).toContain('heartbeat');
  });

  it('closes with 1008 when the job is deleted', async () => {
    const { jobs, jobId, connect } = await stage({ heartbeatMs: 300 });
    const client = connect(statusPath(jobId));
    await client.messages(1);
    jobs.delete(jobId);
    expect(await client.closeCode()).toBe(1008);
  });

  it('sends a heartbeat again and again, and keeps a client that answers pings', async () => {
    const { jobId, connect } = await stage({ heartbeatMs: 250 });
    const client = connect(statusPath(jobId));
    await until(() => client.received.filter(({ type }) => type === 'heartbeat').length >= 4);
    expect(client.closed).toBeNull();
    expect(client.received.find(({ type }) => type === 'heartbeat')).toEqual({ type: 'heartbeat' });
  });

  it('cuts off a client that is not there any more', async () => {
    const { app, port, jobId } = await stage({ heartbeatMs: 300 });
    const deaf = await deafClient(port, statusPath(jobId));
    await until(() => app.get(LiveViews).feed.watched.jobs === 1);
    await until(() => app.get(LiveViews).feed.watched.jobs === 0);
    deaf.destroy();
  });

  it('closes with 1013 when the job cannot be read, and later goes on', async () => {
    const { jobs, jobId, connect } = await stage({ retryMs: 20 });
    const client = connect(statusPath(jobId));
    await client.messages(1);
    jobs.away = true;
    expect(await connect(statusPath(jobId)).closeCode()).toBe(1013);
    publish(jobId, 3);
    jobs.put(jobId, 3);
    await client.opened();
    jobs.away = false;
    await client.messages(2);
    expect(client.inShort()).toEqual(['snapshot v1', 'snapshot v3']);
  });

  it('drops a client that does not read, while others go on', async () => {
    const { app, port, jobs, jobId, connect } = await stage();
    const client = connect(statusPath(jobId));
    await client.messages(1);
    const deaf = await deafClient(port, statusPath(jobId));
    const { watched } = app.get(LiveViews).feed;
    await until(() => watched.jobs === 2);
    const message = 'x'.repeat(50_000);
    let version = 1;
    while (watched.jobs === 2 && version < 4_000) {
      version += 1;
      jobs.put(jobId, version);
      publish(jobId, version, 'step.started', message);
      if (version % 20 === 0) await client.messages(version);
    }
    expect(watched.jobs).toBe(1);
    publish(jobId, version + 1, 'job.completed');
    expect(await client.closeCode()).toBe(1000);
    const seqs = client.received.filter(({ type }) => type === 'event').map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: version }, (_, index) => index + 1));
    deaf.destroy();
  });
});

describe('the socket of many jobs', () => {
  it('begins each job with its snapshot, answers what it cannot do, and stays', async () => {
    const { jobs, jobId, connect } = await stage();
    const other = uuidv7();
    jobs.put(other, 7, { status: 'failed' });
    const client = await connect('/v1/ingest/ws').opened();
    client.say('{');
    client.say({ action: 'subscribe', job_ids: ['nonsense', jobId, other] });
    await client.messages(4);
    publish(jobId, 2, 'job.completed');
    jobs.put(other, 8);
    publish(other, 8, 'job.retried');
    await client.messages(7);
    expect(client.received).toMatchObject([
      { type: 'error', message: 'The message is not JSON.' },
      { type: 'error', job_id: 'nonsense', message: 'There is no such job.' },
      { type: 'snapshot', job: { id: jobId, version: 1 } },
      { type: 'snapshot', job: { id: other, version: 7 } },
      { type: 'event', event: 'job.completed', job_id: jobId, seq: 1, version: 2 },
      { type: 'event', event: 'job.retried', job_id: other, seq: 1, version: 8 },
      { type: 'snapshot', job: { id: other, version: 8 } },
    ]);
    expect(client.closed).toBeNull();
  });

  it('shows all jobs, each from a snapshot on', async () => {
    const { app, jobs, connect } = await stage();
    const client = await connect('/v1/ingest/ws').opened();
    client.say({ action: 'subscribe', all: true });
    await until(() => app.get(LiveViews).feed.watched.all === 1);
    await bus.ping(1_000);
    const ids = Array.from({ length: 200 }, () => uuidv7());
    for (const id of ids) {
      jobs.put(id, 2, { status: 'pending' });
      publish(id, 2, 'job.pending');
    }
    await client.messages(200);
    for (const id of ids) publish(id, 3, 'job.completed');
    const messages = await client.messages(400);
    expect(
      messages
        .slice(0, 200)
        .map(({ job }) => job?.id)
        .toSorted(),
    ).toEqual(ids.toSorted());
    expect(messages.slice(200).map(({ job_id }) => job_id)).toEqual(ids);
    expect(new Set(messages.slice(200).map(({ seq }) => seq))).toEqual(new Set([1]));
    await until(() => app.get(LiveViews).feed.watched.jobs === 0);
  });
});

describe('what is no event', () => {
  it('is counted and dropped', async () => {
    const { source, jobId, connect } = await stage();
    const client = connect(statusPath(jobId));
    await client.messages(1);
    const subject = `sluice.events.${jobId}`;
    for (const garbage of [
      '',
      '{',
      '[]',
      '{"__proto__":1}',
      JSON.stringify({ job_id: uuidv7(), version: 2, events: [] }),
    ]) {
      workers.send(subject, garbage);
    }
    workers.send(subject, new Uint8Array([255, 254, 0]));
    publish(jobId, 2);
    await client.messages(2);
    expect(client.inShort()).toEqual(['snapshot v1', 'event 1 v2']);
    expect(source.garbageCount).toBe(6);
  });
});

describe('the upgrade', () => {
  it('is refused with a problem document to those who may not', async () => {
    const { port, jobId } = await stage({}, { refusal: () => ({ status: 401, detail: 'An API key is needed.' }) });
    const { status, body } = await refusalOf(port, statusPath(jobId));
    expect(status).toBe(401);
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: 'An API key is needed.',
    });
  });

  it('is refused at any other path and beyond the most sockets', async () => {
    const { port, jobId, connect } = await stage({ maxSockets: 1 });
    for (const path of ['/', '/v1/ingest', `${statusPath(jobId)}/more`, '//', '/v1/ingest/ws/', '/v1/ingest/wss']) {
      expect((await refusalOf(port, path)).status).toBe(404);
    }
    const client = await connect('/v1/ingest/ws').opened();
    expect((await refusalOf(port, '/v1/ingest/ws')).status).toBe(503);
    client.ws.close();
    await client.closeCode();
    const next = connect('/v1/ingest/ws');
    await next.opened();
  });
});

describe('when the service stops', () => {
  it('says goodbye with 1001', async () => {
    const { app, jobId, connect } = await stage();
    const one = connect(statusPath(jobId));
    await one.messages(1);
    const many = await connect('/v1/ingest/ws').opened();
    await app.close();
    expect(await one.closeCode()).toBe(1001);
    expect(await many.closeCode()).toBe(1001);
  });
});

describe('when NATS goes away', () => {
  it('polls meanwhile, and begins with a new snapshot when it is back', async () => {
    const { jobs, jobId, connect } = await stage({ pollMs: 50 });
    const client = connect(statusPath(jobId));
    await client.messages(1);
    await nats.kill();
    await until(() => !bus.isConnected);
    jobs.put(jobId, 2);
    await client.messages(2);
    const late = connect(statusPath(jobId));
    await late.messages(1);
    await nats.start();
    await until(() => workers.isConnected && bus.isConnected);
    await client.messages(3);
    await late.messages(2);
    publish(jobId, 3, 'job.completed');
    expect(await client.closeCode()).toBe(1000);
    expect(await late.closeCode()).toBe(1000);
    expect(client.inShort()).toEqual(['snapshot v1', 'snapshot v2', 'snapshot v2', 'event 1 v3']);
    expect(late.inShort()).toEqual(['snapshot v2', 'snapshot v2', 'event 1 v3']);
  });
});
