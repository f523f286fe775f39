import { hostname } from 'node:os';
import { join } from 'node:path';
import type { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { dependantsWaker } from '#shared/bus/scheduler-wake';
import { listen, notify } from '#shared/bus/signals';
import { TelemetrySender } from '#shared/bus/telemetry-sender';
import { ensureTopology } from '#shared/bus/topology';
import { TurnPublisher } from '#shared/bus/turn-publisher';
import type { Delivery } from '#shared/bus/work-consumer';
import { secretNamesIn } from '#shared/contracts/handlers/text-or-secret';
import { CANCEL_BROADCAST, SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { ServiceConfig } from '#shared/runtime/config';
import type { DrainLimits } from '#shared/runtime/drain';
import type { KnownHandlers } from '#shared/runtime/handler-modules';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import type { Database } from '#shared/store/database';
import { GraphStore } from '#shared/store/graph/graph-store';
import { Cancels } from '#shared/store/jobs/cancels';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { WorkDataReader } from '#shared/store/jobs/work-data-reader';
import { StepReports } from '#shared/store/step-reports';
import { type WorkerDescription, WorkerRegistry } from '#shared/store/worker-registry';
import { CancelWatch } from './cancel/cancel-watch';
import { CancelledJobs } from './cancel/cancelled-jobs';
import { createHandlers } from './handlers/handler-registry';
import { isolatedHandlers } from './isolation/isolated-handler';
import { DatabaseClock } from './lease/database-clock';
import { ThreadKeeper } from './keeper/keeper';
import { TurnSlots } from './keeper/turn-slots';
import { type Incarnation, WorkerLease } from './lease/worker-lease';
import { ProcessGroups } from './processes/process-groups';
import { TreeMeter } from './processes/tree-meter';
import { AttemptMeter } from './reports/attempt-meter';
import { ProgressRecorder } from './reports/progress-recorder';
import { TurnReporter } from './reports/turn-reporter';
import { JetStreamPullStrategy } from './transport/jetstream-pull.strategy';
import { ActiveTurns } from './turn/active-turns';
import { AttemptRunner, type AttemptRunnerDeps } from './turn/attempt-runner';
import { OpenedSteps } from './turn/opened-steps';
import { RestingTurns } from './turn/resting-turns';
import { type Rest, TurnRunner } from './turn/turn-runner';
import { TurnSettlement } from './turn/turn-settlement';

/** After the grace: time for aborted handlers to end and for what they leave to be handed back. */
const HAND_BACK_MS = 2_500;
/** Longer back-offs are the scheduler's: a worker that dies with one in its memory is noticed after an ack wait. */
const LONGEST_REST_MS = 15_000;

/** The parts of a worker, put together: its mailbox, its lease, its memory, what it writes and what it tells. */
export class StepWorker {
  readonly strategy: JetStreamPullStrategy;
  readonly lease: WorkerLease;
  private readonly keeper: ThreadKeeper;
  private readonly turns: ActiveTurns;
  private readonly resting = new RestingTurns();
  private readonly cancelWatch: CancelWatch;
  private readonly settlement: TurnSettlement;
  private readonly runner: TurnRunner;
  private readonly recorder: ProgressRecorder;
  private readonly publisher: Publisher;
  private readonly telemetry: TelemetrySender;
  private readonly registry: WorkerRegistry;
  private readonly stopping = new AbortController();
  private readonly unlisten: () => void;
  private workingTimer: NodeJS.Timeout | undefined;
  private saidTooLong = false;

  constructor(
    private readonly context: ServiceContext,
    private readonly database: Database,
    bus: NatsBus,
    catalog: PipelineCatalog,
    known: KnownHandlers,
  ) {
    const { config, log } = context;
    const queues = config.queues ?? catalog.queues;
    const clock = new DatabaseClock();
    const longestRestMs = Math.min(LONGEST_REST_MS, config.ackWaitMs / 2);
    const isDraining = (): boolean => context.drain.draining;
    const pipelines = new PipelineStore(database);
    this.registry = new WorkerRegistry(database);
    const slots = new TurnSlots(config.concurrency);
    this.turns = new ActiveTurns(slots);
    this.keeper = new ThreadKeeper({
      ...{ config, slots, log },
      renewed: (renewal) => this.lease.renewed(renewal),
      lost: (worker) => this.lease.lost(worker),
    });
    this.lease = new WorkerLease(this.registry, clock, log, this.keeper, {
      leaseMs: config.leaseMs,
      worker: describe(queues, config.concurrency),
      renewed: async (incarnation) => {
        void this.cancelWatch.look();
        await this.handBackUnknown(incarnation);
      },
    });
    const { lease, turns } = this;
    const wakeScheduler = (): void => void notify(bus, SCHEDULER_WAKE);
    const cancelled = new CancelledJobs((heardAt) => lease.current.raiseHorizon(heardAt));
    this.cancelWatch = new CancelWatch({
      ...{ cancels: new Cancels(database), lease, turns, cancelled, onAcknowledged: wakeScheduler, log },
    });
    this.unlisten = listen(bus, CANCEL_BROADCAST, () => void this.cancelWatch.look());
    const reporter = new TurnReporter(bus, clock);
    this.recorder = new ProgressRecorder(new StepReports(database), reporter, clock, log);
    this.publisher = new Publisher(bus, { timeoutMs: config.publishLimitMs });
    this.telemetry = new TelemetrySender({
      ...{ bus, publisher: this.publisher, service: config.service, enabled: config.sendsTelemetry, log },
    });
    const opened = new OpenedSteps(new TurnPublisher(this.publisher), lease);
    const settlement = new TurnSettlement({
      ...{ database, pipelines, lease, turns, slots, isDraining, onUntold: dependantsWaker(bus) },
      onAttempt: this.telemetry.observe,
      onRunning: (turn, settled, steps) => {
        if (!turn.pipeline) return;
        reporter.fastSettled(turn.message.job_id, turn.pipeline, settled, steps, turn.shown);
        turn.shown = steps.reduce((set, step) => set | (1n << BigInt(step.idx)), turn.shown);
        void opened.publish(turn, turn.pipeline, settled.opened, settled.dispatchedAt);
      },
    });
    this.settlement = settlement;
    const attempts = new AttemptRunner({
      ...handlersOf(config, catalog, known, new GraphStore(database)),
      data: new WorkDataReader(database),
      ...{ pipelines, lease, meter: new AttemptMeter(clock), recorder: this.recorder, settlement, slots },
      stuckAfterMs: config.stuckAfterMs,
      onStuck: (step, job) => this.dieOfStuckStep(step, job),
    });
    this.runner = new TurnRunner({
      ...{ pipelines, lease, clock, turns, settlement, attempts, opened, reporter, isDraining, log },
      cancelled,
      restLimits: () => ({ resting: this.resting.size, workersAlive: lease.workersAlive, longestMs: longestRestMs }),
      onRetryDueSoon: wakeScheduler,
      onTokensFree: wakeScheduler,
      onCancelledEnd: () => void this.cancelWatch.look(),
    });
    this.strategy = new JetStreamPullStrategy(bus, {
      queues,
      slots: config.concurrency,
      ensure: () => ensureTopology(bus, { queues, ackWaitMs: config.ackWaitMs }),
      onDelivery: (delivery) => void this.take(delivery),
      onStore: (store) => (this.keeper.store = store),
      log,
    });
  }

  /** Resolves when the database knows the worker: only then may it take turns. */
  async register(): Promise<boolean> {
    if (!(await connectWhenUp(this.database, this.context.log, this.stopping.signal))) return false;
    await Promise.race([this.keeper.ready, aborted(this.stopping.signal)]);
    if (this.stopping.signal.aborted) return false;
    await this.lease.start();
    this.telemetry.start();
    const everyMs = this.context.config.ackWaitMs / 3;
    this.workingTimer = setInterval(() => this.sayWorking(everyMs), everyMs / 4).unref();
    return !this.stopping.signal.aborted;
  }

  /** The first stage of the drain: no new turn. */
  async stopIntake(): Promise<void> {
    this.stopping.abort();
    this.turns.giveUpWaiting();
    this.resting.giveUp();
    await this.strategy.close();
  }

  /** Lets running steps end within the grace time, then hands back the rest. */
  async finish({ graceOver }: DrainLimits): Promise<void> {
    await Promise.race([this.turns.none(), aborted(graceOver)]);
    for (const turn of this.turns.all()) turn.abort?.('drain');
    await Promise.race([this.turns.none(), later(HAND_BACK_MS)]);
    clearInterval(this.workingTimer);
    this.unlisten();
    try {
      await this.handBackAll();
    } finally {
      await Promise.all([this.keeper.stop(), this.telemetry.stop(500).then(() => this.publisher.drain(500))]);
    }
  }

  private async handBackAll(): Promise<void> {
    const { id } = this.lease.current;
    if (!this.database.isInitialized || id === '') return this.lease.stop();
    const left = await this.registry.runningOf(id);
    await Promise.all(left.map((step) => this.settlement.handBack(step.jobId, step.idx, id, step.epoch)));
    await this.recorder.flush();
    await this.settlement.close();
    await this.lease.stop();
  }

  private async take(delivery: Delivery): Promise<void> {
    if (!TurnSlots.fits(delivery.reply) && !this.saidTooLong) {
      this.saidTooLong = true;
      this.context.log.error(
        { reply: delivery.reply },
        'the reply subjects of this nats-server are too long to be watched: a step that blocks the event loop may run twice',
      );
    }
    let rest = await this.runner.take(delivery);
    this.strategy.release(delivery);
    while (rest) rest = await this.goOn(delivery, rest);
  }

  /** Waits a turn's rest out and goes on with it. @returns its next rest, if there is one */
  private async goOn(delivery: Delivery, rest: Rest): Promise<Rest | null> {
    const endsAtMs = performance.now() + rest.delayMs;
    const isOver = await this.resting.wait(rest.delayMs);
    if (!isOver || !(await this.strategy.resume(delivery))) {
      delivery.nak(Math.max(1, endsAtMs - performance.now()));
      return null;
    }
    const next = await this.runner.resume(delivery, rest);
    this.strategy.release(delivery);
    return next;
  }

  /** Holds off the redelivery of what takes long. While this loop stands still, the keeper does. */
  private sayWorking(everyMs: number): void {
    const now = performance.now();
    for (const turn of this.turns.all()) {
      if (now - turn.lastSignOfWorkMs < everyMs * 0.75) continue;
      turn.lastSignOfWorkMs = now;
      turn.delivery.working();
    }
  }

  /**
   * Rows that say this worker runs them, though it does not: the reply that granted them was lost. All at once, in one
   * commit: a lost reply may have granted hundreds.
   */
  private async handBackUnknown(incarnation: Incarnation): Promise<void> {
    const running = await this.registry.runningOf(incarnation.id);
    const unknown = running.filter((step) => !this.turns.hasJob(step.jobId));
    const handedBack = await Promise.all(
      unknown.map((step) => this.settlement.handBack(step.jobId, step.idx, incarnation.id, step.epoch)),
    );
    const steps = handedBack.filter(Boolean).length;
    if (steps > 0) this.context.log.warn({ steps }, 'handed back steps that this worker does not run');
  }

  private dieOfStuckStep(step: string, job: string): void {
    this.context.log.fatal({ step, job }, 'the step goes on long after it was told to stop: this worker ends with it');
    process.exit(1);
  }
}

const VERSION = '0.1.0';

/** What this process says of itself; its id is of each incarnation. */
const describe = (queues: readonly string[], capacity: number): Omit<WorkerDescription, 'id'> => ({
  name: `${hostname()}-${process.pid}`,
  version: process.env.npm_package_version ?? VERSION,
  pid: process.pid,
  queues,
  capacity,
});

const ISOLATED_STEP = join(__dirname, 'isolation', 'isolated-step.js');

/** The handlers as they run in this process, and as they run in one of their own. */
function handlersOf(
  { sourceRoots, graceMs }: ServiceConfig,
  { pipelines }: PipelineCatalog,
  known: KnownHandlers,
  graph: GraphStore,
): Pick<AttemptRunnerDeps, 'handlers' | 'isolated'> {
  const { env } = process;
  const groups = new ProcessGroups(new TreeMeter(), graceMs);
  const steps = [...pipelines.values()].flatMap((pipeline) => pipeline.steps);
  const secretNames = new Set(steps.flatMap((step) => secretNamesIn(step.options)));
  const handlers = createHandlers({ graph, sourceRoots, groups, env, secretNames }, known);
  return { handlers, isolated: isolatedHandlers(handlers, { groups, main: ISOLATED_STEP, env }) };
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const later = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
