import { setTimeout as pause } from 'node:timers/promises';
import { connect, Events, type ConnectionOptions, type NatsConnection } from 'nats';
import type { BusLog } from '#shared/bus/bus-log';
import { isGreeting } from '#shared/bus/nats-probe';
import { parseNatsUrl, type NatsAddress } from '#shared/bus/nats-url';
import { guardHolds } from '#shared/runtime/failpoints';

const DIAL_LIMIT_MS = 3_000;
const REDIAL_FIRST_MS = 100;
const REDIAL_MAX_MS = 1_500;
const WATCH_EVERY_MS = 5_000;
/** Looks without an answer to a ping after which the connection is given up: 10 to 15 s. */
const MISSED_LOOKS = 2;
const REPEAT_COMPLAINT_MS = 60_000;
/** Bytes gathered in one tick before they are written. The client's own 32 KiB cost a third more per message. */
const WRITE_AT_BYTES = 128 * 1024;
const NEVER_MS = 2 ** 31 - 1;

export interface ConnectionEvents {
  up(connection: NatsConnection): void;
  down(): void;
}

/**
 * Keeps one connection to NATS for as long as the process wants one: dials in the background, for ever, and dials
 * again when it breaks. The client's own reconnecting is off, because it waits for what is unsent before it gives up
 * a connection that answers nothing: with a full socket that takes as long as the kernel retries, and because a
 * first connect by it cannot be called off.
 */
export class ConnectionKeeper {
  private readonly closing = new AbortController();
  private readonly ended: Promise<void>;
  private readonly address: NatsAddress;
  private connection: NatsConnection | null = null;
  private unanswered = 0;
  private complainedAtMs = -Infinity;

  constructor(
    url: string,
    private readonly name: string,
    private readonly log: BusLog,
    private readonly events: ConnectionEvents,
  ) {
    this.address = parseNatsUrl(url);
    this.ended = this.keep();
  }

  /** Nothing has come back for 5 s or more: what is sent now may wait in buffers. */
  get isStalled(): boolean {
    return this.unanswered >= MISSED_LOOKS;
  }

  /** Ends it at once; resolved when no connection is left, or a dial under way has run into its limit. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.connection?.close();
    await this.ended;
  }

  private isClosing(): boolean {
    return this.closing.signal.aborted;
  }

  private async keep(): Promise<void> {
    let failures = 0;
    while (!this.isClosing()) {
      const connection = await this.dial();
      if (connection === null) {
        failures += 1;
        await this.rest(Math.min(REDIAL_MAX_MS, REDIAL_FIRST_MS * 2 ** Math.min(failures, 10)));
        continue;
      }
      failures = 0;
      await this.hold(connection);
      await this.rest(REDIAL_FIRST_MS);
    }
  }

  private async dial(): Promise<NatsConnection | null> {
    try {
      return await this.connectTo(await this.greetingServers());
    } catch (error) {
      if (performance.now() - this.complainedAtMs >= REPEAT_COMPLAINT_MS) {
        this.complainedAtMs = performance.now();
        this.log.warn(`cannot reach NATS at ${this.address.servers.join(', ')}: ${words(error)}; trying on`);
      }
      return null;
    }
  }

  private async greetingServers(): Promise<string[]> {
    const { servers } = this.address;
    const greetings = await Promise.all(servers.map((server) => isGreeting(server, DIAL_LIMIT_MS)));
    const greeting = servers.filter((_, i) => greetings[i]?.ok);
    if (greeting.length === 0) throw new Error(greetings.map(({ reason }) => reason).join('; '));
    return greeting;
  }

  private connectTo(servers: string[]): Promise<NatsConnection> {
    const options: ConnectionOptions & { pendingLimit: number } = {
      ...this.address,
      servers,
      name: this.name,
      timeout: DIAL_LIMIT_MS,
      reconnect: false,
      resolve: false,
      noAsyncTraces: true,
      pingInterval: NEVER_MS,
      pendingLimit: WRITE_AT_BYTES,
    };
    return connect(options);
  }

  private async hold(connection: NatsConnection): Promise<void> {
    if (this.isClosing()) return connection.close();
    const { server_name: server, version } = connection.info ?? {};
    this.log.info(`connected to NATS at ${connection.getServer()} (${server ?? '?'}, ${version ?? '?'})`);
    this.complainedAtMs = -Infinity;
    this.unanswered = 0;
    this.connection = connection;
    void this.reportErrors(connection);
    const watch = setInterval(() => this.look(connection), WATCH_EVERY_MS);
    this.events.up(connection);
    const reason = await connection.closed();
    clearInterval(watch);
    this.connection = null;
    this.events.down();
    if (!this.isClosing()) {
      this.log.warn(`lost the connection to NATS${reason ? `: ${words(reason)}` : ''}; connecting again`);
    }
  }

  /** Counts looks, not time, so that a blocked event loop, which reads no answers, does not end a good connection. */
  private look(connection: NatsConnection): void {
    if (this.unanswered >= MISSED_LOOKS && guardHolds('bus.gives_up_silence')) {
      this.log.warn('NATS answers nothing');
      void connection.close();
      return;
    }
    this.unanswered += 1;
    connection.flush().then(
      () => (this.unanswered = 0),
      () => undefined, // closed meanwhile
    );
  }

  private async reportErrors(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Error)
        this.log.error(`NATS says: ${JSON.stringify(status.permissionContext ?? status.data)}`);
    }
  }

  /** Half to all of the time, by chance, so that many clients do not come back at once. */
  private async rest(maxMs: number): Promise<void> {
    const ms = maxMs * (0.5 + Math.random() / 2);
    await pause(ms, undefined, { signal: this.closing.signal }).catch(() => undefined);
  }
}

export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
