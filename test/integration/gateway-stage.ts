import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gatewayService } from '../../apps/gateway/src/gateway-service';
import type { JobView, Problem } from '#shared/contracts/job';
import { loadConfig } from '#shared/runtime/config';
import { Drain } from '#shared/runtime/drain';
import { createLogger } from '#shared/runtime/logger';
import { type RunningService, startService } from '#shared/runtime/service';
import { until } from '../support/poll';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { startTestNats, type TestNats } from '../support/test-nats';

const PIPELINES = `
pipelines:
  repository:
    source: required
    steps: [{ name: filesystem }, { name: documentation }]
  chain:
    description: One after another.
    steps: [{ name: a, uses: noop }, { name: b, uses: noop, queue: heavy }, { name: c, uses: noop }]
  wide:
    steps:
      - { name: left, uses: noop, needs: [] }
      - { name: right, uses: noop, needs: [], queue: heavy, concurrency: 2 }
      - { name: both, uses: noop, needs: [left, right], options: { duration_ms: 5 } }
`;

export interface Answer<Body = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface GatewayStageOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Servers of the spec's own; by default there are new ones, which end with the stage. */
  readonly database?: TestDatabase;
  readonly nats?: TestNats;
  /** Whether to wait until it can answer. Default true. */
  readonly ready?: boolean;
}

/** A gateway in this process, on servers and a port of its own. */
export class GatewayStage {
  private constructor(
    readonly url: string,
    readonly database: TestDatabase,
    readonly nats: TestNats,
    /** The one folder that sources may come from. */
    readonly sources: string,
    /** Every line that it has logged. */
    readonly lines: readonly string[],
    private readonly drain: Drain,
    private readonly own: (() => Promise<unknown>)[],
  ) {}

  static async start(options: GatewayStageOptions = {}): Promise<GatewayStage> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-gateway-spec-')));
    const sources = join(folder, 'sources');
    await mkdir(join(sources, 'tree'), { recursive: true });
    await writeFile(join(folder, 'pipelines.yml'), PIPELINES);
    const database = options.database ?? (await createTestDatabase());
    const nats = options.nats ?? (await startTestNats());
    const own = [(): Promise<void> => rm(folder, { recursive: true, force: true })];
    if (!options.database) own.push(() => database.drop());
    if (!options.nats) own.push(() => nats.stop());
    const config = loadConfig('gateway', {
      ...{ DATABASE_URL: database.url, NATS_URL: nats.url, PORT: '0' },
      ...{ SLUICE_CONFIG: join(folder, 'pipelines.yml'), SLUICE_SOURCE_ROOTS: sources, SLUICE_GRACE: '1s' },
      ...options.env,
    });
    const lines: string[] = [];
    const out = { write: (line: string): void => void lines.push(line) };
    const log = createLogger({ service: 'gateway', level: 'info', form: 'json', out });
    const drain = new Drain({ log, graceMs: config.graceMs });
    let running: RunningService;
    try {
      running = await startService(gatewayService(), { config, log, drain });
    } catch (error) {
      await drain.run('it did not start');
      for (const end of own) await end();
      throw error;
    }
    const stage = new GatewayStage(running.url, database, nats, sources, lines, drain, own);
    if (options.ready ?? true) await stage.untilHealthy('ok');
    return stage;
  }

  async call<Body = unknown>(method: string, path: string, init: RequestInit = {}): Promise<Answer<Body>> {
    const response = await fetch(this.url + path, { method, ...init });
    const text = await response.text();
    const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: (isJson && text !== '' ? JSON.parse(text) : text) as Body,
    };
  }

  get<Body = unknown>(path: string): Promise<Answer<Body>> {
    return this.call<Body>('GET', path);
  }

  post<Body = unknown>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.call<Body>('POST', path, { headers: { 'Content-Type': 'application/json', ...headers }, body: text });
  }

  submit(body: unknown, headers: Record<string, string> = {}): Promise<Answer<JobView>> {
    return this.post<JobView>('/v1/ingest', body, headers);
  }

  /** Submits what should be refused. */
  submitBadly(body: unknown, headers: Record<string, string> = {}): Promise<Answer<Problem>> {
    return this.post<Problem>('/v1/ingest', body, headers);
  }

  async jobCount(): Promise<number> {
    const [row] = await this.database.query<{ count: number }>('SELECT count(*)::int AS count FROM jobs');
    return row?.count ?? 0;
  }

  untilHealthy(status: 'ok' | 'degraded' | 'down'): Promise<unknown> {
    const probe = async (): Promise<boolean> =>
      (await this.get<{ status: string }>('/health/ready')).body.status === status;
    return until(probe, { what: `the gateway to be ${status}`, deadlineMs: 20_000 });
  }

  /** Ends the gateway, then what is its own. */
  async stop(): Promise<boolean> {
    const endedWell = await this.drain.run('the spec is over');
    for (const end of this.own) await end();
    return endedWell;
  }
}
