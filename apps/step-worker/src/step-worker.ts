import { hostname } from 'node:os';
import type { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { notify } from '#shared/bus/signals';
import { ensureTopology } from '#shared/bus/topology';
import { TurnPublisher } from '#shared/bus/turn-publisher';
import type { Delivery } from '#shared/bus/work-consumer';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { DrainLimits } from '#shared/runtime/drain';
import { guardHolds } from '#shared/runtime/failpoints';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import type { Database } from '#shared/store/database';
import { GraphStore } from '#shared/store/graph/graph-store';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { WorkDataReader } from '#shared/store/jobs/work-data-reader';
import { StepReports } from '#shared/store/step-reports';
import { WorkerRegistry } from '#shared/store/worker-registry';
import { createHandlers } from './handlers/handler-registry';
import { DatabaseClock } from './lease/database-clock';
import { type Incarnation, WorkerLease } from './lease/worker-lease';
import { AttemptMeter } from './reports/attempt-meter';
import { ProgressRecorder } from './reports/progress-recorder';
import { TurnReporter } from './reports/turn-reporter';
import { JetStreamPullStrategy } from './transport/jetstream-pull.strategy';
import { ActiveTurns } from './turn/active-turns';
import { AttemptRunner } from './turn/attempt-runner';
import { OpenedSteps } from './turn/opened-steps';
import { TurnRunner } from './turn/turn-runner';
import { TurnSettlement } from './turn/turn-settlement';

/** After the grace: time for aborted handlers to end and for what they leave to be handed back. */
const HAND_BACK_MS = 2_500;

/** The parts of a worker, put together: its mailbox, its lease, its memory, what it writes and what it tells. */
export class StepWorker {
  readonly strategy: JetStreamPullStrategy;
  readonly lease: WorkerLease;
  private readonly turns = new ActiveTurns();
  private readonly settlement: TurnSettlement;
  private readonly runner: TurnRunner;
  private readonly recorder: ProgressRecorder;
  private readonly publisher: Publisher;
  private readonly registry: WorkerRegistry;
  private readonly meter: AttemptMeter;
  private readonly stopping = new AbortController();
  private workingTimer: NodeJS.Timeout | undefined;
  private cpuBefore = process.cpuUsage();
  private cpuBeforeMs = performance.now();

  constructor(
    private readonly context: ServiceContext,
    private readonly database: Database,
    bus: NatsBus,
    catalog: PipelineCatalog,
  ) {
    const { config, log } = context;
    const queues = config.queues ?? catalog.queues;
    const clock = new DatabaseClock();
    const isDraining = (): boolean => context.drain.draining;
    const pipelines = new PipelineStore(database);
    this.registry = new WorkerRegistry(database);
    this.meter = new AttemptMeter(clock);
    this.lease = new WorkerLease(this.registry, clock, log, {
      leaseMs: config.leaseMs,
      worker: {
        name: `${hostname()}-${process.pid}`,
        version: process.env.npm_package_version ?? VERSION,
        pid: process.pid,
        queues,
        capacity: config.concurrency,
      },
      load: () => this.load(),
      renewed: (incarnation) => this.handBackUnknown(incarnation),
    });
    const { lease, turns } = this;
    const reporter = new TurnReporter(bus, clock);
    this.recorder = new ProgressRecorder(new StepReports(database), reporter, log);
    this.publisher = new Publisher(bus, { timeoutMs: config.publishLimitMs });
    const opened = new OpenedSteps(new TurnPublisher(this.publisher), lease);
    const settlement = new TurnSettlement({
      ...{ database, pipelines, lease, turns, isDraining },
      onRunning: (turn, settled, steps) => {
        if (!turn.pipeline) return;
        reporter.fastSettled(turn.message.job_id, turn.pipeline, settled, steps, turn.shown);
        turn.shown = steps.reduce((set, step) => set | (1n << BigInt(step.idx)), turn.shown);
        void opened.publish(turn, turn.pipeline, settled.opened, settled.dispatchedAt);
      },
    });
    this.settlement = settlement;
    const attempts = new AttemptRunner({
      handlers: createHandlers({ graph: new GraphStore(database), sourceRoots: config.sourceRoots }),
      data: new WorkDataReader(database),
      ...{ pipelines, lease, meter: this.meter, recorder: this.recorder, settlement },
      onStuck: (step, job) => this.dieOfStuckStep(step, job),
    });
    this.runner = new TurnRunner({
      ...{ pipelines, lease, clock, turns, settlement, attempts, opened, reporter, isDraining, log },
      onTokensFree: () => notify(bus, SCHEDULER_WAKE),
    });
    this.strategy = new JetStreamPullStrategy(bus, {
      queues,
      slots: config.concurrency,
      ensure: () => ensureTopology(bus, { queues, ackWaitMs: config.ackWaitMs }),
      onDelivery: (delivery) => void this.take(delivery),
      log,
    });
  }

  /** Resolves when the database knows the worker: only then may it take turns. */
  async register(): Promise<boolean> {
    if (!(await connectWhenUp(this.database, this.context.log, this.stopping.signal))) return false;
    await this.lease.start();
    const everyMs = this.context.config.ackWaitMs / 3;
    this.workingTimer = setInterval(() => this.sayWorking(everyMs), everyMs / 4).unref();
    return !this.stopping.signal.aborted;
  }

  /** The first stage of the drain: no new turn. */
  async stopIntake(): Promise<void> {
    this.stopping.abort();
    this.turns.giveUpWaiting();
    await this.strategy.close();
  }

  /** Lets running steps end within the grace time, then hands back the rest. */
  async finish({ graceOver }: DrainLimits): Promise<void> {
    await Promise.race([this.turns.none(), aborted(graceOver)]);
    for (const turn of this.turns.all()) turn.abort?.('drain');
    await Promise.race([this.turns.none(), later(HAND_BACK_MS)]);
    clearInterval(this.workingTimer);
    const { id } = this.lease.current;
    if (this.database.isInitialized && id !== '') {
      const left = await this.registry.runningOf(id);
      await Promise.all(left.map((step) => this.settlement.handBack(step.jobId, step.idx, id, step.epoch)));
      await this.recorder.flush();
      await this.settlement.close();
      await this.lease.stop();
    }
    await this.publisher.drain(1_000);
  }

  private async take(delivery: Delivery): Promise<void> {
    await this.runner.take(delivery);
    this.strategy.release(delivery);
  }

  /** Holds off the redelivery of what takes long. */
  private sayWorking(everyMs: number): void {
    if (!guardHolds('worker.says_working')) return;
    const now = performance.now();
    for (const turn of this.turns.all()) {
      if (now - turn.lastSignOfWorkMs < everyMs * 0.75) continue;
      turn.lastSignOfWorkMs = now;
      turn.delivery.working();
    }
  }

  /**
   * Rows that say this worker runs them, though it does not: the reply that granted them was lost. All at once, in one
   * commit: the lease is not renewed meanwhile, and a lost reply may have granted hundreds.
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

  private load(): { running: number; cpuPercent: number; memoryMb: number } {
    const cpu = process.cpuUsage(this.cpuBefore);
    const elapsedMs = Math.max(1, performance.now() - this.cpuBeforeMs);
    this.cpuBefore = process.cpuUsage();
    this.cpuBeforeMs = performance.now();
    const cpuPercent = Math.round((cpu.user + cpu.system) / elapsedMs) / 10;
    return { running: this.turns.size, cpuPercent, memoryMb: this.meter.memory() };
  }

  private dieOfStuckStep(step: string, job: string): void {
    this.context.log.fatal({ step, job }, 'the step goes on long after it was told to stop: this worker ends with it');
    process.exit(1);
  }
}

const VERSION = '0.1.0';

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const later = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
