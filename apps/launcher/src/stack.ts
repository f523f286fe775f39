import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockDataFolder } from '#shared/runtime/embedded/data-folder-lock';
import { faultOfPort } from '#shared/runtime/embedded/free-port';
import type { StackPlan } from './stack-plan';
import { type ServerStatus, StackServers } from './stack-servers';
import { type ServiceStatus, StackServices } from './stack-services';

/** What `stack.json` in the data folder says while a stack runs: for people, tests and the gateway's list of services. */
export interface StackStatus {
  /** The launcher's. */
  readonly pid: number;
  readonly url: string;
  readonly database_url: string;
  readonly nats_url: string;
  readonly services: readonly ServiceStatus[];
  readonly servers: readonly ServerStatus[];
}

/**
 * All of Sluice on one machine: servers, then tables, then services. Brought up phase by phase, ended in one go.
 * Whatever fails to start leaves the rest running until `stop`.
 */
export class Stack {
  private readonly servers: StackServers;
  private readonly services: StackServices;
  private unlock: (() => Promise<void>) | undefined;
  private ending: Promise<void> | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly plan: StackPlan) {
    const onChange = (): void => this.writeStatus();
    this.servers = new StackServers(plan, onChange);
    this.services = new StackServices(plan, onChange);
  }

  /** Where the gateway answers. */
  get url(): string {
    return this.services.gatewayUrl;
  }

  get statusFile(): string {
    return join(this.plan.dataFolder, 'stack.json');
  }

  /**
   * Takes the data folder and brings up the servers that are not named.
   * @throws when the folder or the gateway's port is in use, or a server does not come up
   */
  async startServers(): Promise<void> {
    const { host, gatewayPort, dataFolder } = this.plan;
    const fault = gatewayPort === 0 ? undefined : await faultOfPort(gatewayPort, host);
    if (fault !== undefined) {
      const what = fault === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${fault})`;
      throw new Error(`port ${gatewayPort} at ${host} ${what}: choose another with --port, or 0 for a free one`);
    }
    this.unlock = await lockDataFolder(dataFolder);
    await this.servers.start();
  }

  /** Brings the tables up to date. */
  migrate(): Promise<void> {
    return this.plan.migrate(this.servers.databaseUrl);
  }

  /** Starts the services; resolves when each of them is ready. */
  async startServices(): Promise<void> {
    const { env, host } = this.plan;
    await this.services.start({
      ...env,
      // The launcher's own: the services would take it for a slip of the pen.
      SLUICE_CACHE_DIR: undefined,
      SLUICE_HOST: host,
      DATABASE_URL: this.servers.databaseUrl,
      NATS_URL: this.servers.natsUrl,
      SLUICE_INTERNAL_STACK_FILE: this.statusFile,
    });
    await this.writing;
  }

  status(): StackStatus {
    return {
      pid: process.pid,
      url: this.url,
      database_url: this.servers.databaseUrl,
      nats_url: this.servers.natsUrl,
      services: this.services.status(),
      servers: this.servers.status(),
    };
  }

  /** Drains the services, then ends the servers, then gives the data folder back. */
  stop(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  /** Ends everything at once, also while `stop` still drains. What was committed stays. */
  async kill(): Promise<void> {
    await this.services.kill();
    await this.servers.stop(true);
    await this.stop();
  }

  private async end(): Promise<void> {
    await this.services.stop();
    await this.servers.stop();
    await this.writing;
    if (this.unlock) await rm(this.statusFile, { force: true });
    await this.unlock?.();
  }

  /** Readers see the old or the new text, never half of one. It holds the database's password. */
  private writeStatus(): void {
    this.writing = this.writing.then(async () => {
      const unfinished = `${this.statusFile}.${process.pid}`;
      await writeFile(unfinished, `${JSON.stringify(this.status(), null, 2)}\n`, { mode: 0o600 });
      await rename(unfinished, this.statusFile);
    });
    this.writing.catch((error: unknown) => this.plan.say(`cannot write ${this.statusFile}: ${String(error)}`));
  }
}
