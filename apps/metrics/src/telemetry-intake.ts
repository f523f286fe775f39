import { Counter, register } from 'prom-client';
import { type TelemetryBatch, telemetryBatch } from '#shared/contracts/telemetry';
import type { Logger } from '#shared/runtime/logger';
import { isPassingDatabaseError } from '#shared/store/database-error';
import type { TelemetryAdded } from '#shared/store/usage/telemetry-writes';

export interface BatchWrites {
  add(batches: readonly TelemetryBatch[]): Promise<TelemetryAdded>;
}

const NAME = 'sluice_telemetry_batches_total';
const REPEAT_COMPLAINT_MS = 30_000;

/** One for the process, however many services it holds. */
function counter(): Counter<'result'> {
  const known = register.getSingleMetric(NAME);
  if (known instanceof Counter) return known;
  const help = 'Batches of telemetry that this service took: added, repeated (added before), garbage (no batch)';
  return new Counter({ name: NAME, help, labelNames: ['result'] });
}

/** Takes what the telemetry stream has: reads it and adds it to the roll-ups. What is no batch is counted and let go. */
export class TelemetryIntake {
  private readonly taken = counter();
  private failingSinceMs: number | null = null;
  private complainedAtMs = -Infinity;

  constructor(
    private readonly writes: BatchWrites,
    private readonly log: Pick<Logger, 'warn'>,
  ) {
    for (const result of ['added', 'repeated', 'garbage']) this.taken.inc({ result }, 0);
  }

  /** For how long nothing could be added; 0 while it can. */
  get failingMs(): number {
    return this.failingSinceMs === null ? 0 : performance.now() - this.failingSinceMs;
  }

  /** Resolves once all of it is in Postgres. @throws when it is away: the same has to come again */
  readonly take = async (payloads: readonly Uint8Array[]): Promise<void> => {
    const batches = payloads.flatMap((payload) => this.read(payload) ?? []);
    try {
      await this.add(batches);
      this.failingSinceMs = null;
    } catch (error) {
      this.failingSinceMs ??= performance.now();
      this.complain(error, 'telemetry could not be added; it comes again');
      throw error;
    }
  };

  /** All at once; when one of them is such that it never can be added, each for itself. */
  private async add(batches: readonly TelemetryBatch[]): Promise<void> {
    try {
      const { added, repeated } = await this.writes.add(batches);
      this.taken.inc({ result: 'added' }, added);
      this.taken.inc({ result: 'repeated' }, repeated);
    } catch (error) {
      if (isPassingDatabaseError(error)) throw error;
      if (batches.length === 1) this.refuse(error);
      else for (const batch of batches) await this.add([batch]);
    }
  }

  private read(payload: Uint8Array): TelemetryBatch | null {
    try {
      return telemetryBatch.parse(JSON.parse(new TextDecoder().decode(payload)));
    } catch (error) {
      this.refuse(error);
      return null;
    }
  }

  private refuse(error: unknown): void {
    this.taken.inc({ result: 'garbage' });
    this.complain(error, 'what came as telemetry is none; it is let go');
  }

  private complain(error: unknown, message: string): void {
    if (performance.now() - this.complainedAtMs < REPEAT_COMPLAINT_MS) return;
    this.complainedAtMs = performance.now();
    this.log.warn({ err: error }, message);
  }
}
