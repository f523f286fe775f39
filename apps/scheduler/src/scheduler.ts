import type { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { dependantsWaker } from '#shared/bus/scheduler-wake';
import { listen } from '#shared/bus/signals';
import { TelemetrySender } from '#shared/bus/telemetry-sender';
import { ensureTopology } from '#shared/bus/topology';
import { TurnPublisher } from '#shared/bus/turn-publisher';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { dueOfWake, SCHEDULER_WAKE, WAKE_FOR_DEPENDANTS } from '#shared/contracts/subjects';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import type { Database } from '#shared/store/database';
import { Cancels } from '#shared/store/jobs/cancels';
import { DeadLetterOutbox } from '#shared/store/jobs/dead-letter-outbox';
import { DeleteJobs } from '#shared/store/jobs/delete-jobs';
import { Dependants } from '#shared/store/jobs/dependants';
import { DueJobs } from '#shared/store/jobs/due-jobs';
import { ExpiredJobs } from '#shared/store/jobs/expired-jobs';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import { JobPlans } from '#shared/store/jobs/job-plans';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { savePools } from '#shared/store/pool-sizes';
import { ScheduleTicks } from '#shared/store/schedules/schedule-ticks';
import { StuckSteps } from '#shared/store/jobs/stuck-steps';
import { JobChangeFold } from '#shared/store/usage/job-change-fold';
import { WorkerRegistry } from '#shared/store/worker-registry';
import { CancelFinish } from './cancel-finish';
import { CronTicker } from './cron-ticker';
import { DeadLetterMirror } from './dead-letter-mirror';
import { DependantRelease } from './dependant-release';
import { DelayedJobRelease } from './delayed-job-release';
import { RunMaker } from './due-runs';
import { JobPruner } from './job-pruner';
import { Lateness } from './lateness';
import { Loop } from '#shared/runtime/loop';
import { LostStepMender } from './lost-step-mender';
import { RetryRelease } from './retry-release';
import { TurnDispatch } from './turn-dispatch';

const TICK_MS = 1_000;
const HOUSEKEEPING_MS = 60_000;
/** The metrics service does it every second; without one the notes must not grow for ever. */
const JOB_CHANGES_MS = 5_000;
/** What the file says of pools changes with a restart only. */
const DAY_MS = 86_400_000;
/** Rows of workers that are gone are shown for so long. */
const GONE_WORKERS_MS = 3_600_000;

/** The scheduler's loops, put together. Any number of schedulers may run; none is the leader. */
export class Scheduler {
  private readonly loops: Loop[];
  private readonly delayed: DelayedJobRelease;
  private readonly delayedLoop: Loop;
  private readonly releases: Loop[];
  private readonly mirror: Loop;
  private readonly dependants: Loop;
  private readonly needs: Dependants;
  private readonly publisher: Publisher;
  private readonly telemetry: TelemetrySender;
  private readonly transactions: JobTransactions;
  private readonly due: readonly DueJobs[];
  private readonly ticks: ScheduleTicks;
  private readonly expired: ExpiredJobs;
  private readonly deletions: DeleteJobs;
  private readonly stopping = new AbortController();
  private unlisten: () => void = () => undefined;

  constructor(
    private readonly context: ServiceContext,
    private readonly database: Database,
    private readonly bus: NatsBus,
    catalog: PipelineCatalog,
    handlers: ReadonlyMap<string, HandlerDefinition>,
  ) {
    const { config, log } = context;
    const pipelines = new PipelineStore(database);
    const registry = new WorkerRegistry(database);
    const stuck = new StuckSteps(database);
    const { queues } = catalog;
    const ensure = (): Promise<void> => ensureTopology(bus, { queues, ackWaitMs: config.ackWaitMs });
    this.publisher = new Publisher(bus, { timeoutMs: config.publishLimitMs });
    this.telemetry = new TelemetrySender({
      ...{ bus, publisher: this.publisher, service: config.service, enabled: config.sendsTelemetry, log },
    });
    const { observe: onAttempt } = this.telemetry;
    this.transactions = new JobTransactions(database, pipelines, { onUntold: dependantsWaker(bus), onAttempt });
    const [due, all] = [new DueJobs(database, { remembers: true }), new DueJobs(database, { remembers: false })];
    this.due = [due, all];
    this.ticks = new ScheduleTicks(database);
    const dispatch = new TurnDispatch(bus, new TurnPublisher(this.publisher));
    const { transactions } = this;
    const lateness = new Lateness((seconds) => this.telemetry.observeLateness(seconds), log);
    this.delayed = new DelayedJobRelease({ due, all, pipelines, dispatch, lateness, log });
    const runs = new RunMaker(new JobPlans(catalog, pipelines), handlers);
    const cron = new CronTicker({ ticks: this.ticks, runs, pipelines, dispatch, lateness, log });
    const retries = new RetryRelease(stuck, transactions, dispatch, log);
    const cancels = new CancelFinish({
      ...{ bus, cancels: new Cancels(database), transactions, log },
      onTokensFree: () => this.releases.forEach((each) => each.wake()),
    });
    const { sweepMarginMs: marginMs, sweepLookMs: lookMs } = config;
    const mender = new LostStepMender({
      ...{ bus, queues, stuck, transactions, pipelines, dispatch, ensure, marginMs, lookMs, log },
    });
    const loop = (name: string, runOnce: () => Promise<number>, longestPauseMs: number): Loop =>
      new Loop({ name, runOnce, longestPauseMs, log });
    this.delayedLoop = loop('delayed-job-release', () => this.delayed.runOnce(), TICK_MS);
    this.releases = [
      this.delayedLoop,
      loop('cron-ticker', () => cron.runOnce(), TICK_MS),
      loop('retry-release', () => retries.runOnce(), TICK_MS),
      loop('cancel-finish', () => cancels.runOnce(), TICK_MS),
    ];
    this.needs = new Dependants(database);
    const dependants = new DependantRelease({
      ...{ bus, dependants: this.needs, transactions, dispatch, log },
    });
    this.dependants = loop('dependant-release', () => dependants.runOnce(), TICK_MS);
    const mirror = new DeadLetterMirror(bus, new DeadLetterOutbox(database, pipelines), this.publisher, log);
    this.mirror = loop('dead-letter-mirror', () => mirror.runOnce(), TICK_MS);
    this.expired = new ExpiredJobs(database, config.retentionMs);
    this.deletions = new DeleteJobs(database);
    const { expired, deletions } = this;
    const pruner = new JobPruner({ expired, deletions, retentionMs: config.retentionMs, log });
    const changes = new JobChangeFold(database);
    this.loops = [
      ...this.releases,
      this.mirror,
      this.dependants,
      loop('late-commits', () => this.delayed.runThrough(), TICK_MS),
      loop('lost-step-mender', () => mender.runOnce(), lookMs),
      loop('topology', () => ensure().then(() => lookMs), TICK_MS),
      loop('pools', () => savePools(database, catalog.pools).then(() => DAY_MS), TICK_MS),
      loop('job-pruner', () => pruner.runOnce(), pruner.roundPauseMs()),
      loop('job-changes', async () => ((await changes.foldSome()) ? 0 : JOB_CHANGES_MS), JOB_CHANGES_MS),
      loop('housekeeping', () => registry.forgetGone(GONE_WORKERS_MS).then(() => HOUSEKEEPING_MS), HOUSEKEEPING_MS),
    ];
  }

  /** Resolves when the loops turn: once Postgres can be reached. */
  async start(): Promise<void> {
    if (!(await connectWhenUp(this.database, this.context.log, this.stopping.signal))) return;
    const wakeAll = (): void => [...this.releases, this.mirror, this.dependants].forEach((each) => each.wake());
    const stopping = [
      listen(this.bus, SCHEDULER_WAKE, (said) => {
        const dueMs = dueOfWake(said);
        if (said === WAKE_FOR_DEPENDANTS) this.dependants.wake();
        else if (dueMs === null) wakeAll();
        else if (this.delayed.isBeforeNextLook(dueMs * 1_000)) this.delayedLoop.wake();
      }),
      this.bus.onConnect(wakeAll),
    ];
    this.unlisten = () => stopping.forEach((stop) => stop());
    for (const loop of this.loops) loop.start();
    this.telemetry.start();
  }

  /** Whether the loops that release work have made a round lately. */
  isTurning(): boolean {
    return this.releases.every((loop) => loop.isTurning(5 * TICK_MS));
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    await Promise.all(this.loops.map((loop) => loop.stop()));
    await this.telemetry.stop(500);
    await this.publisher.drain(500);
    await this.transactions.close();
    for (const due of this.due) await due.close();
    await this.ticks.close();
    await this.needs.close();
    await this.expired.close();
    await this.deletions.close();
  }
}
