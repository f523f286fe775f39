import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { BusLog } from '#shared/bus/bus-log';
import type { NatsBus } from '#shared/bus/nats-bus';
import { type Publisher, type PublishOutcome, TOO_LARGE } from '#shared/bus/publisher';
import { type EncodedBatch, TelemetryDraft } from '#shared/bus/telemetry-draft';
import { telemetrySubject } from '#shared/contracts/subjects';
import type { AttemptSink } from '#shared/domain/usage/step-usage';

export interface TelemetrySenderOptions {
  readonly bus: Pick<NatsBus, 'isConnected' | 'maxPayloadBytes'>;
  /** Has to live longer than this. */
  readonly publisher: Pick<Publisher, 'publish'>;
  /** The last token of the subject. */
  readonly service: string;
  /** Default 1,000. */
  readonly everyMs?: number;
  /** False: counts and sends nothing. Default true. */
  readonly enabled?: boolean;
  readonly log: BusLog;
}

const EVERY_MS = 1_000;
/** For people. */
const SENDER = `${hostname()}-${process.pid}`;
/** What the header takes, and a reserve. */
const HEADER_BYTES = 1_024;
/** Where the server allows more than its default of 1 MiB. */
const MOST_BYTES = 1_000_000;
/** JetStream's word for it, where an operator has set `max_msg_size`. */
const TOO_LARGE_FOR_STREAM = /size exceeds/;

/**
 * Counts attempts that have ended, and sends the counts to the telemetry stream about once a second. What is not known to
 * be stored is sent again under the same id, while what comes meanwhile gathers in the next batch. Nothing here throws or
 * makes work wait; what gets lost is counted anew from the attempts in Postgres.
 */
export class TelemetrySender {
  private readonly subject: string;
  private readonly run = randomUUID();
  private draft = new TelemetryDraft();
  private unsent: EncodedBatch[] = [];
  private batches = 0;
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;
  private inTrouble = false;

  constructor(private readonly options: TelemetrySenderOptions) {
    this.subject = telemetrySubject(options.service);
  }

  /** An attempt has been recorded, and that is committed. Bound: it can be handed on as it is. */
  readonly observe: AttemptSink = (pipeline, step, finishedAtMicros, attempt) => {
    if (this.isOn) this.draft.observe(pipeline, step, finishedAtMicros, attempt);
  };

  /** A delayed or recurring job was handed out so long after its time. */
  observeLateness(seconds: number): void {
    if (this.isOn) this.draft.observeLateness(seconds);
  }

  start(): void {
    if (this.isOn) this.timer ??= setInterval(() => void this.flush(), this.options.everyMs ?? EVERY_MS).unref();
  }

  /** Sends what there is, within the limit. Observes nothing from then on. Never rejects. */
  stop(limitMs: number): Promise<void> {
    this.stopped ??= this.end(limitMs);
    return this.stopped;
  }

  private get isOn(): boolean {
    return this.options.enabled !== false && !this.stopped;
  }

  private async end(limitMs: number): Promise<void> {
    clearInterval(this.timer);
    // What is under way may be of an earlier cut.
    const last = this.flush().then(() => this.flush());
    await withinLimit(last, limitMs);
    if (this.unsent.length > 0 || !this.draft.isEmpty) {
      this.options.log.warn('the last telemetry could not be sent; it is counted from the attempts later');
    }
  }

  private flush(): Promise<void> {
    this.sending ??= this.send()
      .catch((error: unknown) => this.options.log.error(`telemetry could not be sent: ${String(error)}`))
      .finally(() => (this.sending = undefined));
    return this.sending;
  }

  private async send(): Promise<void> {
    const { bus, publisher } = this.options;
    // How large a batch may be only a server says.
    if (!bus.isConnected) return;
    if (this.unsent.length === 0) this.cut();
    for (let batch = this.unsent[0]; batch; batch = this.unsent[0]) {
      const outcome = await publisher.publish(this.subject, batch.payload, batch.id);
      if (!this.isOver(batch, outcome)) return;
      this.unsent.shift();
    }
  }

  private cut(): void {
    const { draft } = this;
    if (draft.isEmpty) return;
    const { bus, log } = this.options;
    this.draft = new TelemetryDraft();
    const maxBytes = Math.min(bus.maxPayloadBytes, MOST_BYTES) - HEADER_BYTES;
    this.unsent = draft.encode(SENDER, maxBytes, () => `${this.run}.${++this.batches}`);
    if (draft.dropped > 0) {
      log.warn(`${draft.dropped} attempts found no room in the telemetry; they are counted from the attempts later`);
    }
  }

  /** Whether the batch need not be sent again. */
  private isOver(batch: EncodedBatch, outcome: PublishOutcome): boolean {
    const { log } = this.options;
    if (outcome.kind === 'stored') {
      if (this.inTrouble) log.info('telemetry is taken again');
      this.inTrouble = false;
      return true;
    }
    if (outcome.kind === 'refused' && (outcome.reason === TOO_LARGE || TOO_LARGE_FOR_STREAM.test(outcome.reason))) {
      log.warn(`telemetry of ${batch.attempts} attempts is too large for the server; they are counted later`);
      return true;
    }
    if (!this.inTrouble) {
      const reason = outcome.kind === 'refused' ? outcome.reason : 'no answer in time';
      log.warn(`telemetry is not taken (${reason}); it is kept and sent again`);
    }
    this.inTrouble = true;
    return false;
  }
}

async function withinLimit(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
