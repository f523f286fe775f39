import type { NatsBus } from '#shared/bus/nats-bus';
import { TelemetryFeed } from '#shared/bus/telemetry-feed';
import { FleetLook } from '#shared/runtime/fleet-look';
import { Loop } from '#shared/runtime/loop';
import type { ServiceContext } from '#shared/runtime/service';
import type { Database } from '#shared/store/database';
import { JobChangeFold } from '#shared/store/usage/job-change-fold';
import { RollupCompare } from '#shared/store/usage/rollup-compare';
import { RollupFold } from '#shared/store/usage/rollup-fold';
import { TelemetryWrites } from '#shared/store/usage/telemetry-writes';
import { UsageReader } from '#shared/store/usage/usage-reader';
import { WorkerReader } from '#shared/store/worker-reader';
import { TelemetryIntake } from './telemetry-intake';

const TICK_MS = 1_000;
const HOUSEKEEPING_MS = 60_000;
const FEED_STOP_LIMIT_MS = 2_000;
/** A round may have to count a busy minute anew. */
const TURNING_WITHIN_MS = 30_000;
/** A pull that finds nothing is answered after two seconds. */
const PULLING_WITHIN_MS = 10_000;

/** The parts of the metrics service, put together. Any number of services may run: they share the work. */
export class MetricsService {
  /** Where the figures come from. */
  readonly usage: UsageReader;
  readonly fleet: FleetLook;
  readonly workers: WorkerReader;
  private readonly intake: TelemetryIntake;
  private readonly feed: TelemetryFeed;
  private readonly loops: readonly Loop[];
  private readonly builtAtMs = performance.now();

  /** @param database connected by the time of `start` */
  constructor({ config, log }: ServiceContext, database: Database, bus: NatsBus) {
    this.usage = new UsageReader(database);
    this.fleet = new FleetLook(database, bus);
    this.workers = new WorkerReader(database, config.leaseMs);
    const writes = new TelemetryWrites(database);
    this.intake = new TelemetryIntake(writes, log);
    this.feed = new TelemetryFeed({ bus, onBatches: this.intake.take, log });
    const compare = new RollupCompare(database, config.rollupCompareMs);
    const fold = new RollupFold(database);
    const changes = new JobChangeFold(database);
    const loop = (name: string, runOnce: () => Promise<number>, longestPauseMs: number): Loop =>
      new Loop({ name, runOnce, longestPauseMs, log });
    this.loops = [
      loop('job-changes', async () => ((await changes.foldSome()) ? 0 : TICK_MS), TICK_MS),
      loop('rollup-compare', () => compare.runOnce(), TICK_MS),
      loop('rollup-fold', () => fold.runOnce(), 10 * TICK_MS),
      loop('old-batches', async () => ((await writes.forgetOld()) ? 0 : HOUSEKEEPING_MS), HOUSEKEEPING_MS),
    ];
  }

  start(): void {
    this.feed.start();
    for (const loop of this.loops) loop.start();
  }

  /** Whether the loops that keep the figures right have made a round lately. */
  isTurning(): boolean {
    return this.loops.slice(0, 3).every((loop) => loop.isTurning(TURNING_WITHIN_MS));
  }

  /** Whether telemetry is pulled, and stored. */
  isPulling(): boolean {
    return this.feed.isPulling(PULLING_WITHIN_MS) && this.intake.failingMs < PULLING_WITHIN_MS;
  }

  /** For how long the telemetry stream has not answered, or what it gave could not be stored. */
  telemetryAgeSeconds(): number {
    const sinceBuiltMs = performance.now() - this.builtAtMs;
    return Math.max(Math.min(this.feed.sinceAnswerMs, sinceBuiltMs), this.intake.failingMs) / 1_000;
  }

  /** Takes nothing new; what is being stored is stored. */
  async stopIntake(): Promise<void> {
    await this.feed.stop(FEED_STOP_LIMIT_MS);
  }

  async stopLoops(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** After the last answer. */
  async close(): Promise<void> {
    await this.fleet.close();
  }
}
