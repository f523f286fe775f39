import { setTimeout as pause } from 'node:timers/promises';
import { createInbox, type Msg } from 'nats';
import { parseAckReply } from '#shared/bus/ack-reply';
import type { BusLog } from '#shared/bus/bus-log';
import { words } from '#shared/bus/connection-keeper';
import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';
import { PullChannel, TICK_MS } from '#shared/bus/pull-channel';
import type { PullStatus } from '#shared/bus/pull-status';
import { ensureTelemetry } from '#shared/bus/side-streams';
import { TELEMETRY_CONSUMER, TELEMETRY_STREAM } from '#shared/contracts/subjects';

export interface TelemetryFeedOptions {
  readonly bus: NatsBus;
  /**
   * Takes what was pulled, in the order in which it came. Once it resolves all are acknowledged; when it rejects they come
   * again after about a second, maybe to another service. It may be called again with what it has taken already.
   */
  readonly onBatches: (payloads: readonly Uint8Array[]) => Promise<void>;
  readonly log: BusLog;
}

const BATCH = 100;
const WAIT_MS = 2_000;
/** After something went wrong, and for what is handed back. */
const TROUBLE_PAUSE_MS = 1_000;
const REPEAT_COMPLAINT_MS = 30_000;
const LOOK_LIMIT_MS = 2_000;
const ACK = '+ACK';
const NAK = '-NAK';
const NAK_LATER = `-NAK {"delay": ${TROUBLE_PAUSE_MS * 1_000_000}}`;

interface Pulled {
  readonly message: Msg;
  /** Of which connection: an answer by another one might reach another message. */
  readonly connection: number;
}

/** Pulls the telemetry from its stream, in turn with the other metrics services. Makes stream and consumer when missing. */
export class TelemetryFeed {
  private readonly channel: PullChannel;
  private readonly forget: Unsubscribe[] = [];
  private readonly stopping = new AbortController();
  private pulled: Pulled[] = [];
  /** Undelivered messages when the last one was delivered. */
  private backlog = 0;
  private connection = 0;
  private isPrepared = false;
  private whenPullEnds: ((status: PullStatus | null) => void) | null = null;
  private ticker: NodeJS.Timeout | undefined;
  /** Ticks, not time, as in `PullChannel`: a process that stood still has missed nothing. */
  private ticksSinceAnswer = Infinity;
  private running: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private complainedAtMs = -Infinity;

  constructor(private readonly options: TelemetryFeedOptions) {
    this.channel = new PullChannel(options.bus, createInbox(), TELEMETRY_STREAM, TELEMETRY_CONSUMER, {
      onMessage: (message) => this.onMessage(message),
      onEnd: (status) => this.whenPullEnds?.(status),
    });
  }

  start(): void {
    if (this.running || this.stopped) return;
    this.channel.open();
    this.forget.push(this.options.bus.onDisconnect(() => this.onDisconnect()));
    this.ticker = setInterval(() => this.tick(), TICK_MS).unref();
    this.running = this.run();
  }

  /** Pulls no more, lets `onBatches` end, hands back the rest. Resolves within the limit whatever happens. */
  stop(limitMs: number): Promise<void> {
    this.stopped ??= this.end(limitMs);
    return this.stopped;
  }

  /** Whether pulls were answered within that time. A call of `onBatches` that takes longer counts as no answer. */
  isPulling(withinMs: number): boolean {
    return this.ticksSinceAnswer * TICK_MS <= withinMs;
  }

  /** How long ago a pull was last answered, in milliseconds; Infinity when none was yet. */
  get sinceAnswerMs(): number {
    return this.ticksSinceAnswer * TICK_MS;
  }

  /** How many messages were not yet delivered, or not acknowledged; null: nobody can tell. Never rejects. */
  async pending(): Promise<number | null> {
    try {
      const api = await this.options.bus.jetStream(LOOK_LIMIT_MS);
      const { num_pending, num_ack_pending } = await api.consumers.info(TELEMETRY_STREAM, TELEMETRY_CONSUMER);
      return num_pending + num_ack_pending;
    } catch {
      return null;
    }
  }

  private async run(): Promise<void> {
    const { bus } = this.options;
    while (!this.isStopping) {
      if (!bus.isConnected) await this.pause(TICK_MS);
      else if (!this.isPrepared) await this.prepare();
      else await this.round();
    }
  }

  private async prepare(): Promise<void> {
    const { connection } = this;
    try {
      await ensureTelemetry(this.options.bus);
      this.isPrepared = connection === this.connection;
    } catch (error) {
      this.complain(words(error));
      await this.pause(TROUBLE_PAUSE_MS);
    }
  }

  /** One message is waited for; what else is there comes with it. */
  private async round(): Promise<void> {
    let status =
      this.backlog > 0 || this.pulled.length > 0 ? null : await this.pull(() => this.channel.wait(1, WAIT_MS));
    if (this.backlog > 0 && !this.isStopping) status = await this.pull(() => this.channel.fetch(BATCH - 1));
    if (status && status.kind !== 'used_up') await this.onTrouble(status);
    const batch = this.pulled;
    this.pulled = [];
    if (batch.length > 0) await this.handOn(batch);
  }

  /** Gives how the pull ended; null: all that it asked for has come, or the connection was lost. */
  private async pull(ask: () => void): Promise<PullStatus | null> {
    const ended = new Promise<PullStatus | null>((resolve) => (this.whenPullEnds = resolve));
    this.backlog = 0;
    ask();
    const status = this.channel.asked === 0 ? null : await ended;
    this.whenPullEnds = null;
    if (status?.kind === 'used_up') this.ticksSinceAnswer = 0;
    return status;
  }

  private async onTrouble(status: PullStatus): Promise<void> {
    this.isPrepared = false;
    const reason = 'reason' in status ? status.reason : 'no answer';
    if (status.kind === 'refused') this.complain(reason);
    await this.pause(status.kind === 'refused' ? TROUBLE_PAUSE_MS : TICK_MS);
  }

  private async handOn(batch: readonly Pulled[]): Promise<void> {
    try {
      await this.options.onBatches(batch.map(({ message }) => message.data));
    } catch {
      this.answer(batch, NAK_LATER);
      // Everything else would be pulled and handed back meanwhile.
      await this.pause(TROUBLE_PAUSE_MS);
      return;
    }
    this.answer(batch, ACK);
  }

  private answer(batch: readonly Pulled[], word: string): void {
    for (const { message, connection } of batch) {
      if (connection === this.connection && message.reply) this.options.bus.send(message.reply, word);
    }
  }

  private onMessage(message: Msg): void {
    this.ticksSinceAnswer = 0;
    this.backlog = parseAckReply(message.reply ?? '')?.pending ?? 0;
    this.pulled.push({ message, connection: this.connection });
    if (this.channel.asked === 0) this.whenPullEnds?.(null);
  }

  private onDisconnect(): void {
    this.connection += 1;
    this.isPrepared = false;
    this.channel.reset();
    this.whenPullEnds?.(null);
  }

  private tick(): void {
    this.ticksSinceAnswer += 1;
    this.channel.tick();
  }

  private async end(limitMs: number): Promise<void> {
    this.stopping.abort();
    this.whenPullEnds?.(null);
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.close(), limit]);
    clearTimeout(timer);
    clearInterval(this.ticker);
    for (const forget of this.forget.splice(0)) forget();
  }

  private async close(): Promise<void> {
    await this.running;
    await this.channel.close();
    this.answer(this.pulled, NAK);
    this.pulled = [];
  }

  private get isStopping(): boolean {
    return this.stopping.signal.aborted;
  }

  private async pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  private complain(reason: string): void {
    if (performance.now() - this.complainedAtMs < REPEAT_COMPLAINT_MS) return;
    this.complainedAtMs = performance.now();
    this.options.log.warn(`no telemetry can be pulled: ${reason}; trying on`);
  }
}
