import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '#shared/runtime/embedded/free-port';
import { migrate } from '#shared/store/migrate';
import { TcpProxy } from './tcp-proxy';
import { createTestDatabase, type TestDatabase } from './test-database';
import { TEST_VARIABLES } from './test-environment';
import { startTestNats, type TestNats } from './test-nats';
import { type ServiceKind, TestService } from './test-service';
import { startTestPostgres, type TestPostgres } from './test-postgres';

const LINES_ON_FAILURE = 60;

export interface TestStackOptions {
  /** Worker processes. Default 1. */
  readonly workers?: number;
  /** Besides the workers. Default: all three. */
  readonly services?: readonly Exclude<ServiceKind, 'step-worker'>[];
  /** For every service, over the defaults. */
  readonly env?: NodeJS.ProcessEnv;
  /** The text of pipeline_config.yml. Default: the one that ships. */
  readonly pipelines?: string;
  /** Folders that `local_path` sources may come from. Default: none that holds anything. */
  readonly sourceRoots?: readonly string[];
  /** A Postgres of this stack's own, to be killed and stopped. Default: a database in the shared one. */
  readonly ownPostgres?: boolean;
  /** Folders for the servers' own files, e.g. on small disks. Default: the system's temporary folder. */
  readonly postgresUnder?: string;
  readonly natsUnder?: string;
  /** Services reach the servers by lines that may be cut, held up or let go dead: `natsLine`, `postgresLine`. */
  readonly proxied?: boolean;
}

/** The lines between services and servers. */
interface Lines {
  readonly nats: TcpProxy;
  readonly postgres: TcpProxy;
}

/**
 * Sluice as whole processes from the build, on servers and ports of its own, for one spec file.
 * ```
 * beforeAll(async () => { stack = await TestStack.start({ workers: 2 }); });
 * afterAll(() => stack.stop());
 * ```
 */
export class TestStack {
  readonly workers: TestService[] = [];
  /** Beside the one that it was started with. */
  readonly moreSchedulers: TestService[] = [];
  private readonly others = new Map<Exclude<ServiceKind, 'step-worker'>, TestService>();

  private constructor(
    private readonly folder: string,
    private readonly env: NodeJS.ProcessEnv,
    /** Its nats-server: kill it, wipe its store, start it again. */
    readonly nats: TestNats,
    /** Its database: the oracle. */
    readonly database: TestDatabase,
    private readonly ownPostgres: TestPostgres | undefined,
    private readonly lines: Lines | undefined,
  ) {}

  /**
   * Starts servers and services and waits until all are ready.
   * @throws when one does not become ready, with what it said; what was started is stopped
   */
  static async start(options: TestStackOptions = {}): Promise<TestStack> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-stack-test-'));
    const ownPostgres = options.ownPostgres ? await startTestPostgres(options.postgresUnder) : undefined;
    if (ownPostgres) await migrate(ownPostgres.url);
    const [nats, database] = await Promise.all([startTestNats(options.natsUnder), ownPostgres ?? createTestDatabase()]);
    const lines = options.proxied
      ? { nats: await TcpProxy.to(nats.url), postgres: await TcpProxy.to(database.url) }
      : undefined;
    const databaseUrl = lines?.postgres.url(database.url) ?? database.url;
    const env = await serviceEnvironment(folder, options, databaseUrl, lines?.nats.url(nats.url) ?? nats.url);
    const stack = new TestStack(folder, env, nats, database, ownPostgres, lines);
    try {
      const { services = ['gateway', 'scheduler', 'metrics'], workers = 1 } = options;
      const starting = services.map(async (kind) => {
        const service = new TestService({ kind, name: kind, port: await findFreePort(), env });
        stack.others.set(kind, service);
        await service.start();
      });
      await Promise.all([...starting, ...Array.from({ length: workers }, () => stack.addWorker())]);
      return stack;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  get gateway(): TestService {
    return this.service('gateway');
  }

  get scheduler(): TestService {
    return this.service('scheduler');
  }

  get metrics(): TestService {
    return this.service('metrics');
  }

  /** The gateway's address. */
  get url(): string {
    return this.gateway.url;
  }

  /** The stack's own Postgres, where it was asked for. */
  get postgres(): TestPostgres {
    if (!this.ownPostgres) throw new Error('start the stack with ownPostgres: true');
    return this.ownPostgres;
  }

  /** Between all services and NATS, where it was asked for. */
  get natsLine(): TcpProxy {
    return this.line('nats');
  }

  /** Between all services and Postgres, where it was asked for. */
  get postgresLine(): TcpProxy {
    return this.line('postgres');
  }

  /** Starts one more worker and waits until it is ready. */
  async addWorker(env: NodeJS.ProcessEnv = {}): Promise<TestService> {
    const port = await findFreePort();
    const name = `step-worker-${this.workers.length + 1}`;
    const worker = new TestService({ kind: 'step-worker', name, port, env: { ...this.env, ...env } });
    this.workers.push(worker);
    await worker.start();
    return worker;
  }

  /** Starts one more scheduler and waits until it is ready. */
  async addScheduler(env: NodeJS.ProcessEnv = {}): Promise<TestService> {
    const port = await findFreePort();
    const name = `scheduler-${this.moreSchedulers.length + 2}`;
    const scheduler = new TestService({ kind: 'scheduler', name, port, env: { ...this.env, ...env } });
    this.moreSchedulers.push(scheduler);
    await scheduler.start();
    return scheduler;
  }

  /** One statement on the stack's database. */
  query: TestDatabase['query'] = (sql, values) => this.database.query(sql, values);

  /** Stops services, then servers, and removes everything. What they said last is printed when a test has failed. */
  async stop(): Promise<void> {
    const services = [...this.others.values(), ...this.moreSchedulers, ...this.workers];
    await Promise.all(services.map((service) => service.stop()));
    await leaveForReport(services.map((service) => service.lastLines(LINES_ON_FAILURE)));
    await Promise.all([this.lines?.nats.close(), this.lines?.postgres.close()]);
    await this.nats.stop();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }

  private line(name: keyof Lines): TcpProxy {
    if (!this.lines) throw new Error('start the stack with proxied: true');
    return this.lines[name];
  }

  has(kind: Exclude<ServiceKind, 'step-worker'>): boolean {
    return this.others.has(kind);
  }

  /** One that is not a worker. */
  service(kind: Exclude<ServiceKind, 'step-worker'>): TestService {
    const service = this.others.get(kind);
    if (!service) throw new Error(`this stack was started without ${kind}`);
    return service;
  }
}

/** Whether a test of this file has failed is known to jest only afterwards: its reporter prints the file then. */
async function leaveForReport(texts: readonly string[]): Promise<void> {
  const { testPath } = expect.getState();
  const folder = process.env[TEST_VARIABLES.logFolder];
  if (folder === undefined || testPath === undefined) return;
  await appendFile(join(folder, testPath.replaceAll('/', '_')), `${texts.join('\n')}\n`);
}

async function serviceEnvironment(
  folder: string,
  options: TestStackOptions,
  databaseUrl: string,
  natsUrl: string,
): Promise<NodeJS.ProcessEnv> {
  const config =
    options.pipelines === undefined
      ? join(__dirname, '..', '..', 'pipeline_config.yml')
      : join(folder, 'pipeline_config.yml');
  if (options.pipelines !== undefined) await writeFile(config, options.pipelines);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_'));
  return {
    ...Object.fromEntries(inherited),
    SLUICE_HOST: '127.0.0.1',
    SLUICE_CONFIG: config,
    SLUICE_SOURCE_ROOTS: options.sourceRoots?.join(':') ?? folder,
    SLUICE_GRACE: '10s',
    DATABASE_URL: databaseUrl,
    NATS_URL: natsUrl,
    ...options.env,
  };
}
