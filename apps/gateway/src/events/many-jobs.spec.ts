import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import pino from 'pino';
import type { JobView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { EventHub } from './event-hub';
import type { BatchListener, EventSource } from './event-source';
import { LIVE_LIMITS, type LiveFeed, type LiveLimits, WatchCount } from './live-feed';
import { LiveViews } from './live-views';
import { ManyJobs } from './many-jobs';
import { type JobSnapshots, SnapshotReader } from './snapshot-reader';

const jobId = (n: number): string => `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`;

class FakeSource implements EventSource {
  connected = true;
  readonly open = new Map<string, BatchListener>();

  subscribe(scope: string, onBatch: BatchListener): () => void {
    if (this.open.has(scope)) throw new Error(`a second subscription for ${scope}`);
    this.open.set(scope, onBatch);
    return () => void this.open.delete(scope);
  }

  inForce(): Promise<void> {
    return Promise.resolve();
  }

  onConnect(): void {}

  publish(batch: LiveEventBatch): void {
    this.open.get(batch.job_id)?.(batch);
    this.open.get('all')?.(batch);
  }
}

class FakeJobs implements JobSnapshots {
  readonly jobs = new Map<string, JobView>();
  readonly reads: string[] = [];
  away = false;
  /** While set, reads wait for it. */
  gate: Promise<void> | null = null;

  put(n: number, version: number, status = 'running'): void {
    this.jobs.set(jobId(n), { id: jobId(n), version, status, steps: [] } as unknown as JobView);
  }

  async getMany(ids: readonly string[]): Promise<ReadonlyMap<string, JobView>> {
    this.reads.push(...ids);
    await this.gate;
    if (this.away) throw new Error('the store is away');
    return new Map(ids.map((id) => this.jobs.get(id)).flatMap((job) => (job ? [[job.id, job]] : [])));
  }

  versions(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const known = ids.map((id) => this.jobs.get(id)).filter((job) => job !== undefined);
    return Promise.resolve(new Map(known.map((job) => [job.id, job.version])));
  }
}

interface Received {
  readonly type: string;
  readonly job_id?: string;
  readonly job?: JobView;
  readonly seq?: number;
  readonly version?: number;
}

/** The server's end of a socket whose client reads when told to. */
class FakeWs extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  reads = true;
  closed: { code: number; reason: string } | null = null;
  readonly messages: Received[] = [];
  private readonly unread: (() => void)[] = [];

  send(text: string, written: () => void): void {
    this.messages.push(JSON.parse(text) as Received);
    if (this.reads) {
      written();
      return;
    }
    this.bufferedAmount += text.length;
    this.unread.push(written);
  }

  readAll(): void {
    this.reads = true;
    this.bufferedAmount = 0;
    for (const written of this.unread.splice(0)) written();
  }

  ping(): void {}

  close(code: number, reason: string): void {
    this.closed = { code, reason };
    this.readyState = 3;
    this.emit('close');
  }

  terminate(): void {
    this.close(1006, '');
  }
}

interface Stage {
  readonly source: FakeSource;
  readonly jobs: FakeJobs;
  readonly ws: FakeWs;
  readonly many: ManyJobs;
  readonly feed: LiveFeed;
  readonly views: LiveViews;
  readonly say: (message: unknown) => void;
}

function stage(limits: Partial<LiveLimits> = {}): Stage {
  const source = new FakeSource();
  const jobs = new FakeJobs();
  const log = pino({ level: 'silent' });
  const feed: LiveFeed = {
    source,
    log,
    hub: new EventHub(source),
    reader: new SnapshotReader(jobs, log),
    limits: { ...LIVE_LIMITS, ...limits },
    watched: new WatchCount(),
  };
  const views = new LiveViews(feed);
  const ws = new FakeWs();
  const view = views.open(ws as unknown as WebSocket);
  const many = new ManyJobs(view.socket, feed, (rules) => views.watchesFor(view, rules));
  return { source, jobs, ws, many, feed, views, say: (message) => many.onMessage(JSON.stringify(message)) };
}

const eventOf = (n: number, version: number, event: LiveEvent['event'] = 'step.started'): LiveEventBatch => ({
  job_id: jobId(n),
  version,
  events: [{ event, at: '' }],
});

/** Everything that waits for nothing but promises has happened. */
const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const numberOf = (id = ''): number => Number(id.slice(-12));

const inShort = (ws: FakeWs): string[] =>
  ws.messages.map(({ type, job_id, job, seq, version }) => {
    if (job) return `snapshot ${numberOf(job.id)} v${job.version}`;
    return type === 'event' ? `event ${numberOf(job_id)} #${seq} v${version}` : `${type} ${job_id ?? ''}`.trim();
  });

describe('ManyJobs', () => {
  it('begins each job that is subscribed to with its snapshot, and counts its events by themselves', async () => {
    const { source, jobs, ws, say } = stage();
    jobs.put(1, 3);
    jobs.put(2, 7);
    say({ action: 'subscribe', job_ids: [jobId(1), jobId(2)] });
    await quiet();
    source.publish(eventOf(1, 4));
    source.publish(eventOf(2, 8));
    source.publish(eventOf(1, 5));
    source.publish(eventOf(3, 1));
    expect(inShort(ws)).toEqual(['snapshot 1 v3', 'snapshot 2 v7', 'event 1 #1 v4', 'event 2 #1 v8', 'event 1 #2 v5']);
  });

  it('answers an id that is none with an error and goes on', async () => {
    const { jobs, ws, say } = stage();
    jobs.put(1, 1);
    say({ action: 'subscribe', job_ids: ['nonsense', jobId(9), jobId(1)] });
    await quiet();
    expect(inShort(ws)).toEqual(['error nonsense', `error ${jobId(9)}`, 'snapshot 1 v1']);
    expect(ws.closed).toBeNull();
  });

  it.each([
    ['nothing'],
    ['"subscribe"'],
    ['null'],
    ['{"action":"subscribe"}'],
    ['{"action":"subscribe","all":false}'],
    ['{"action":"subscribe","all":true,"job_ids":["a"]}'],
    ['{"action":"subscribe","job_ids":[]}'],
    ['{"action":"subscribe","job_ids":[7]}'],
    ['{"action":"destroy","all":true}'],
    ['{"action":"subscribe","all":true,"__proto__":{"x":1}}'],
    [`{"action":"subscribe","job_ids":["${'a'.repeat(101)}"]}`],
  ])('answers what it cannot understand with an error that names no job: %s', (text) => {
    const { ws, many, source } = stage();
    many.onMessage(text);
    expect(ws.messages).toEqual([{ type: 'error', message: expect.stringMatching(/^The message is not/) as unknown }]);
    expect(source.open.size).toBe(0);
  });

  it('refuses more than 1,000 jobs by id, naming each', async () => {
    const { jobs, ws, feed, say } = stage();
    for (let n = 0; n < 1_002; n += 1) jobs.put(n, 1);
    say({ action: 'subscribe', job_ids: Array.from({ length: 1_001 }, (_, n) => jobId(n)) });
    expect(inShort(ws)).toEqual(['error']);
    say({ action: 'subscribe', job_ids: Array.from({ length: 600 }, (_, n) => jobId(n)) });
    say({ action: 'subscribe', job_ids: Array.from({ length: 402 }, (_, n) => jobId(600 + n)) });
    const errors = ws.messages.filter((message) => message.job_id !== undefined);
    expect(errors.map((error) => error.job_id)).toEqual([jobId(1_000), jobId(1_001)]);
    expect(feed.watched.jobs).toBe(1_000);
    await quiet();
    expect(ws.messages.filter((message) => message.type === 'snapshot')).toHaveLength(1_000);
  });

  it('sends no more of a job after unsubscribe, and ends the subscription', async () => {
    const { source, jobs, ws, feed, say } = stage();
    jobs.put(1, 1);
    say({ action: 'subscribe', job_ids: [jobId(1)] });
    await quiet();
    say({ action: 'unsubscribe', job_ids: [jobId(1), 'nonsense'] });
    source.publish(eventOf(1, 2));
    expect(inShort(ws)).toEqual(['snapshot 1 v1']);
    expect(source.open.size).toBe(0);
    expect(feed.watched.jobs).toBe(0);
  });

  it('leaves nothing behind when the socket closes', async () => {
    const { source, jobs, ws, feed, say } = stage();
    jobs.put(1, 1);
    jobs.put(2, 1);
    say({ action: 'subscribe', job_ids: [jobId(1)] });
    say({ action: 'subscribe', all: true });
    source.publish(eventOf(2, 1));
    await quiet();
    expect(feed.watched).toEqual({ jobs: 2, all: 1 });
    ws.close(1000, '');
    expect(feed.watched).toEqual({ jobs: 0, all: 0 });
    expect(source.open.size).toBe(0);
  });

  it('does not end a subscription that another socket shares', async () => {
    const { source, jobs, ws, views, feed, say } = stage();
    const other = new FakeWs();
    const view = views.open(other as unknown as WebSocket);
    const many = new ManyJobs(view.socket, feed, (rules) => views.watchesFor(view, rules));
    jobs.put(1, 1);
    say({ action: 'subscribe', job_ids: [jobId(1)] });
    many.onMessage(JSON.stringify({ action: 'subscribe', job_ids: [jobId(1)] }));
    await quiet();
    ws.close(1000, '');
    source.publish(eventOf(1, 2));
    expect(inShort(other)).toEqual(['snapshot 1 v1', 'event 1 #1 v2']);
  });

  describe('all', () => {
    it('begins a job with its snapshot when it is first heard of, and again when it is run again', async () => {
      const { source, jobs, ws, feed, say } = stage();
      say({ action: 'subscribe', all: true });
      jobs.put(1, 2);
      source.publish(eventOf(1, 2));
      await quiet();
      source.publish(eventOf(1, 3, 'job.failed'));
      expect(feed.watched.jobs).toBe(0);
      source.publish(eventOf(1, 3, 'job.failed'));
      source.publish(eventOf(1, 0, 'step.progress'));
      jobs.put(1, 4);
      source.publish(eventOf(1, 4, 'job.retried'));
      await quiet();
      expect(inShort(ws)).toEqual(['snapshot 1 v2', 'event 1 #1 v3', 'snapshot 1 v4']);
    });

    it('sends each event once to a client that named the job too', async () => {
      const { source, jobs, ws, say } = stage();
      jobs.put(1, 1);
      say({ action: 'subscribe', all: true });
      say({ action: 'subscribe', job_ids: [jobId(1)] });
      await quiet();
      source.publish(eventOf(1, 2));
      source.publish(eventOf(1, 2, 'step.progress'));
      expect(inShort(ws)).toEqual(['snapshot 1 v1', 'event 1 #1 v2', 'event 1 #2 v2']);
    });

    it('forgets the quietest job when it tracks too many', async () => {
      const { source, jobs, ws, feed, say } = stage({ maxTracked: 2 });
      say({ action: 'subscribe', all: true });
      for (const n of [1, 2]) {
        jobs.put(n, 1);
        source.publish(eventOf(n, 1));
        await quiet();
      }
      source.publish(eventOf(1, 2));
      jobs.put(3, 1);
      source.publish(eventOf(3, 1));
      await quiet();
      expect(feed.watched.jobs).toBe(2);
      source.publish(eventOf(1, 3));
      jobs.put(2, 2);
      source.publish(eventOf(2, 2));
      await quiet();
      expect(inShort(ws).slice(2)).toEqual(['event 1 #1 v2', 'snapshot 3 v1', 'event 1 #2 v3', 'snapshot 2 v2']);
    });

    it('gives up on a socket for which more jobs change than can be read', async () => {
      const { source, jobs, ws, feed, say } = stage({ maxTracked: 100 });
      let letThrough: () => void = () => undefined;
      jobs.gate = new Promise((resolve) => (letThrough = resolve));
      say({ action: 'subscribe', all: true });
      for (let n = 0; n < 100; n += 1) source.publish(eventOf(n, 1));
      expect(ws.closed).toBeNull();
      source.publish(eventOf(100, 1));
      expect(ws.closed?.code).toBe(1013);
      expect(feed.watched).toEqual({ jobs: 0, all: 0 });
      letThrough();
      await quiet();
      expect(ws.messages).toEqual([]);
    });

    it('is refused to more sockets than may have it', () => {
      const { ws, say } = stage({ maxAll: 0 });
      say({ action: 'subscribe', all: true });
      expect(inShort(ws)).toEqual(['error']);
    });
  });

  describe('a client that reads slowly', () => {
    it('is sent snapshots only as fast as it takes them', async () => {
      const { jobs, ws, say } = stage();
      const big = 'x'.repeat(700_000);
      for (let n = 0; n < 50; n += 1) {
        jobs.put(n, 1);
        Object.assign(jobs.jobs.get(jobId(n)) as object, { description: big });
      }
      ws.reads = false;
      say({ action: 'subscribe', job_ids: Array.from({ length: 50 }, (_, n) => jobId(n)) });
      await quiet();
      expect(ws.messages.length).toBeLessThan(10);
      expect(jobs.reads.length).toBeLessThan(10);
      expect(ws.closed).toBeNull();
      ws.readAll();
      await quiet();
      expect(ws.messages).toHaveLength(50);
    });

    it('loses its socket when events pile up', async () => {
      const { source, jobs, ws, feed, say } = stage();
      jobs.put(1, 1);
      say({ action: 'subscribe', job_ids: [jobId(1)] });
      await quiet();
      ws.reads = false;
      const message = 'x'.repeat(10_000);
      for (let version = 2; version < 200 && ws.closed === null; version += 1) {
        source.publish({ job_id: jobId(1), version, events: [{ event: 'step.started', at: '', message }] });
      }
      expect(ws.closed?.code).toBe(1013);
      expect(ws.bufferedAmount).toBeLessThan(1_200_000);
      expect(feed.watched.jobs).toBe(0);
    });
  });

  it('tries again when a job cannot be read, and then begins with its snapshot', async () => {
    const { jobs, ws, say } = stage({ retryMs: 1 });
    jobs.put(1, 1);
    jobs.away = true;
    say({ action: 'subscribe', job_ids: [jobId(1)] });
    while (jobs.reads.length < 3) await quiet();
    expect(ws.messages).toEqual([]);
    jobs.away = false;
    while (ws.messages.length === 0) await quiet();
    expect(inShort(ws)).toEqual(['snapshot 1 v1']);
  });

  it('finds by the heartbeat what was missed', async () => {
    const { jobs, ws, views, say } = stage();
    jobs.put(1, 1);
    say({ action: 'subscribe', job_ids: [jobId(1)] });
    await quiet();
    jobs.put(1, 5, 'completed');
    views.beat();
    while (ws.messages.length < 3) await quiet();
    expect(inShort(ws)).toEqual(['snapshot 1 v1', 'heartbeat', 'snapshot 1 v5']);
  });

  it('cuts off a client that is not heard of from one heartbeat to the next', () => {
    const { ws, views } = stage();
    views.beat();
    ws.emit('pong');
    views.beat();
    expect(ws.closed).toBeNull();
    views.beat();
    expect(ws.closed?.code).toBe(1006);
  });
});
