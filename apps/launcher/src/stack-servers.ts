import { join } from 'node:path';
import { type EmbeddedNats, startNatsServer } from '#shared/runtime/embedded/nats-server';
import { findNatsServer } from '#shared/runtime/embedded/nats-server-binary';
import { type EmbeddedPostgres, startPostgres } from '#shared/runtime/embedded/postgres';
import { Supervised } from '#shared/runtime/supervisor/supervised';
import type { StackPlan } from './stack-plan';

const NATS_STOP_MS = 3_000;
const POSTGRES_STOP_MS = 5_000;

export interface ServerStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly port: number;
  /** nats-server's pages for people and monitors. */
  readonly monitoring?: string;
  readonly restarts: number;
}

/** The embedded Postgres and nats-server of a stack: those that it needs, kept running on the same ports and data. */
export class StackServers {
  private postgres: Supervised<EmbeddedPostgres> | undefined;
  private nats: Supervised<EmbeddedNats> | undefined;
  private addresses: { databaseUrl: string; natsUrl: string } = { databaseUrl: '', natsUrl: '' };
  private natsMonitor = '';

  constructor(
    private readonly plan: StackPlan,
    private readonly onChange: () => void,
  ) {}

  get databaseUrl(): string {
    return this.addresses.databaseUrl;
  }

  get natsUrl(): string {
    return this.addresses.natsUrl;
  }

  /**
   * Starts what no address names.
   * @throws when one does not come up, with its reason
   */
  async start(): Promise<void> {
    const { env, embedded } = this.plan;
    const given = embedded === 'all' ? {} : env;
    const [databaseUrl, natsUrl] = await Promise.all([
      given.DATABASE_URL || this.startPostgres(),
      given.NATS_URL || this.startNats(),
    ]);
    this.addresses = { databaseUrl, natsUrl };
  }

  /** Ends both, nats-server first. With `atOnce` they end as in a crash, which loses nothing either. */
  async stop(atOnce = false): Promise<void> {
    await this.nats?.stop(atOnce ? 0 : NATS_STOP_MS);
    await this.postgres?.stop(atOnce ? 0 : POSTGRES_STOP_MS);
  }

  status(): ServerStatus[] {
    const status: ServerStatus[] = [];
    for (const [name, server, url] of [
      ['postgres', this.postgres, this.databaseUrl],
      ['nats-server', this.nats, this.natsUrl],
    ] as const) {
      if (!server || !url) continue;
      const { current, restarts } = server;
      const monitoring = name === 'nats-server' ? this.natsMonitor : undefined;
      status.push({ name, pid: current?.pid ?? null, port: Number(new URL(url).port), monitoring, restarts });
    }
    return status;
  }

  private async startPostgres(): Promise<string> {
    const { dataFolder, throwaway } = this.plan;
    let port: number | undefined;
    this.postgres = this.supervise('postgres', async () => {
      const server = await startPostgres({
        folder: join(dataFolder, 'postgres'),
        port,
        throwaway,
        onLine: (line) => this.passOn('postgres', line, /\b(WARNING|ERROR|FATAL|PANIC|HINT|DETAIL):/),
      });
      port = server.port;
      return server;
    });
    return (await this.postgres.start()).url;
  }

  private async startNats(): Promise<string> {
    const { dataFolder, env, say } = this.plan;
    const { path: program } = await findNatsServer(say, { env });
    let ports: { port?: number; monitorPort?: number } = {};
    this.nats = this.supervise('nats-server', async () => {
      const server = await startNatsServer({
        program,
        folder: join(dataFolder, 'nats'),
        ...ports,
        onLine: (line) => this.passOn('nats-server', line, /\[(WRN|ERR|FTL)\]/),
      });
      ports = { port: server.port, monitorPort: server.monitorPort };
      return server;
    });
    const first = await this.nats.start();
    this.natsMonitor = first.monitorUrl;
    return first.url;
  }

  private supervise<R extends EmbeddedPostgres | EmbeddedNats>(name: string, start: () => Promise<R>): Supervised<R> {
    return new Supervised<R>({ name, start, say: this.plan.say, onChange: this.onChange });
  }

  /** Servers are talkative: only what may need attention is passed on. */
  private passOn(name: string, line: string, worthReading: RegExp): void {
    if (worthReading.test(line)) this.plan.onLine(name, line);
  }
}
