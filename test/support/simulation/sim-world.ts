import { inspect } from 'node:util';
import { loadConfig, type ServiceConfig } from '#shared/runtime/config';
import type { Logger } from '#shared/runtime/logger';
import type { ServiceContext } from '#shared/runtime/service';
import { isEnded } from '#shared/domain/status';
import { Choices } from './choices';
import { guards } from './guards';
import { Oracle } from './oracle';
import type { Execution } from './oracle';
import { SimPeople } from './sim-people';
import { type Action, type Behaviour, isClean, type PlanEntry, type Point } from './plan';
import { simHandlers } from './sim-handlers';
import { SimJetStream } from './sim-jetstream';
import { SimPostgres } from './sim-postgres';
import type { Circumstance, Surroundings } from './surroundings';
import type { SimJob } from './tables';
import { SimServices } from './sim-services';
import type { Scenario } from './scenario';
import { type SimProcess, VirtualTime } from './virtual-time';

/** What an operator gets who says nothing else. A field that a double left out would be 0 to every timer. */
const CONFIG: ServiceConfig = loadConfig('step-worker', {
  DATABASE_URL: 'postgres://simulated/none',
  NATS_URL: 'nats://simulated:4222',
  SLUICE_CONCURRENCY: '3',
  SLUICE_INTERNAL_TELEMETRY: 'false',
});

/** All of a simulation, put together; and what goes wrong in it. */
export class SimWorld implements Surroundings {
  readonly choices: Choices;
  readonly time: VirtualTime;
  readonly oracle = new Oracle(this);
  readonly postgres: SimPostgres;
  readonly jetStream: SimJetStream;
  readonly handlers = simHandlers(this);
  readonly slots: Surroundings['slots'] = new Map();
  readonly listeners: Surroundings['listeners'] = new Map();
  readonly people: SimPeople;
  readonly services: SimServices;
  readonly isClean: boolean;
  /** What has been done of the plan. */
  readonly story: string[] = [];
  readonly performed: Action[] = [];
  private readonly reached = new Map<Point, number>();
  private readonly flags = new Map<SimProcess, Set<Action>>();
  private readonly cutUntilMs = new Map<SimProcess, number>();
  private readonly slowUntilMs = new Map<SimProcess, number>();
  private readonly deafUntilMs = new Map<SimProcess, number>();
  /** What the next handlers to begin are to do. */
  private readonly told: Behaviour[] = [];
  private readonly killers = new Set<string>();
  /** Also when things have calmed down: the last crash of one may be recorded after that. */
  private readonly everKillers = new Set<string>();
  private wordsToLose = 0;
  private isCalm = false;

  constructor(readonly scenario: Scenario) {
    this.choices = new Choices(scenario.seed);
    this.time = new VirtualTime(this.choices);
    this.isClean = isClean(scenario.plan);
    this.postgres = new SimPostgres(this.time, this.oracle);
    this.jetStream = new SimJetStream(this.time, this.choices, CONFIG.ackWaitMs);
    this.people = new SimPeople(this);
    this.services = new SimServices(this);
  }

  /** Whether nothing but steps kills workers. */
  get isKilledByStepsAlone(): boolean {
    return this.scenario.plan.every(({ action }) => ['kill', 'fail', 'fail-for-good', 'take-long'].includes(action));
  }

  kills(jobId: string, idx: number): boolean {
    return this.everKillers.has(`${jobId}:${idx}`);
  }

  busLatencyMs(): number {
    return this.choices.latencyMs(0.5);
  }

  databaseLatencyMs(process: SimProcess): number {
    const isSlow = (this.slowUntilMs.get(process) ?? 0) > this.time.nowMs;
    return isSlow ? 500 + this.choices.below(8_000) : this.choices.latencyMs(1.5);
  }

  isCut(process: SimProcess): boolean {
    return (this.cutUntilMs.get(process) ?? 0) > this.time.nowMs;
  }

  /** Whether the word that is being spread is lost. */
  losesWord(): boolean {
    if (this.wordsToLose === 0) return false;
    this.wordsToLose -= 1;
    return true;
  }

  /** Whether what the process says to hold off a redelivery is not heard. */
  isDeafTo(process: SimProcess): boolean {
    return (this.deafUntilMs.get(process) ?? 0) > this.time.nowMs;
  }

  takeFlag(process: SimProcess, flag: Action): boolean {
    return this.flags.get(process)?.delete(flag) ?? false;
  }

  /** From here on nothing goes wrong any more, and what was wrong is over. */
  calmDown(): void {
    this.isCalm = true;
    this.flags.clear();
    this.cutUntilMs.clear();
    this.slowUntilMs.clear();
    this.deafUntilMs.clear();
    this.killers.clear();
    this.told.length = 0;
    this.wordsToLose = 0;
    this.services.bringBackAll();
  }

  /** Tells that something has come to a point: the plan may have something for it. */
  point(on: Point, circumstance: Circumstance): void {
    const nth = this.reached.get(on) ?? 0;
    this.reached.set(on, nth + 1);
    if (this.isCalm) return;
    for (const entry of this.scenario.plan) {
      if (entry.on === on && entry.nth === nth) this.perform(entry, circumstance);
    }
  }

  private perform(entry: PlanEntry, circumstance: Circumstance): void {
    const { action, ms, which } = entry;
    const process = circumstance.process ?? this.services.worker(which);
    const jobs = [...this.postgres.jobs.values()];
    const job = this.postgres.jobs.get(circumstance.jobId ?? '') ?? jobs[which % jobs.length];
    const message = circumstance.message ?? this.jetStream.find(circumstance.seq) ?? this.jetStream.anyMessage();
    this.performed.push(action);
    this.story.push(`${Math.round(this.time.nowMs)} ms, ${entry.on} (${process.name}): ${action} ${ms}`);
    switch (action) {
      case 'crash':
        return this.crash(process, ms);
      case 'stop':
        return this.stop(process, ms);
      case 'drain':
        return this.services.drain(process, ms);
      case 'cut':
        return void this.cutUntilMs.set(process, this.time.nowMs + ms);
      case 'slow':
        return void this.slowUntilMs.set(process, this.time.nowMs + ms);
      case 'deaf':
        return void this.deafUntilMs.set(process, this.time.nowMs + ms);
      case 'doubt':
      case 'lose-publish':
      case 'doubt-publish':
      case 'lose-ack':
        this.flags.set(process, (this.flags.get(process) ?? new Set<Action>()).add(action));
        return;
      case 'lose-word':
        this.wordsToLose += 1;
        return;
      case 'lose-message':
        return message && this.jetStream.lose(message);
      case 'orphan':
        return message && this.jetStream.orphan(message);
      case 'anew':
        return message && this.jetStream.anew(message);
      case 'early':
        return message && this.jetStream.early(message);
      case 'restart-nats':
        return this.jetStream.restart();
      case 'wipe-nats':
        return this.jetStream.wipe();
      case 'cancel':
      case 'retry':
      case 'rerun':
        return job && this.people.ask(action, job, which);
      case 'reschedule':
        return job && this.people.reschedule(job, ms);
      case 'fail':
      case 'fail-for-good':
      case 'take-long':
      case 'kill':
        return void this.told.push(action);
    }
  }

  behaviourOf(execution: Execution): Behaviour {
    const { process, jobId, idx, delivery } = execution;
    this.point('begun', { process, jobId, message: delivery.handed.message });
    const key = `${jobId}:${idx}`;
    const behaviour = this.killers.has(key) ? 'kill' : (this.told.shift() ?? 'complete');
    if (behaviour === 'kill') {
      this.killers.add(key);
      this.everKillers.add(key);
    }
    return behaviour;
  }

  /** How long a handler works. */
  workMs(behaviour: Behaviour): number {
    if (behaviour === 'take-long') return 1_000 + this.choices.below(40_000);
    if (behaviour === 'kill') return 100;
    return this.choices.chance(0.5) ? 0 : this.choices.latencyMs(20);
  }

  crash(process: SimProcess, downMs: number): void {
    if (process.state === 'dead') return;
    this.time.kill(process);
    this.oracle.died(process);
    this.services.comesBack(process, downMs);
    this.people.gatewayDied(process);
  }

  private stop(process: SimProcess, ms: number): void {
    this.time.stop(process);
    this.time.after(ms, null, () => this.time.resume(process));
  }

  async run(): Promise<void> {
    this.services.start();
    this.people.submitAll();
    this.everySecond();
    const { trouble } = this.scenario;
    await this.time.runUntil(trouble.endMs, () => this.oracle.violation !== null || this.isQuiet());
    this.calmDown();
    const limitMs = this.time.nowMs + trouble.healMs;
    await this.time.runUntil(limitMs, () => this.oracle.violation !== null || this.isQuiet());
    if (this.oracle.violation === null && !this.isQuiet()) this.oracle.fail(`it does not end: ${this.whatIsLeft()}`);
    this.oracle.isOver();
  }

  private everySecond(): void {
    this.time.after(1_000, null, () => {
      this.point('second', {});
      this.everySecond();
    });
  }

  /** Every job has ended, nothing is stored, held or at work, and nobody wants anything any more. */
  isQuiet(): boolean {
    return (
      this.people.haveAskedAll &&
      this.jetStream.size === 0 &&
      this.postgres.untold().length === 0 &&
      [...this.postgres.jobs.values()].every(({ stored }) => isEnded(stored.fields.status)) &&
      [...this.postgres.pools.values()].every(({ used }) => used === 0) &&
      this.services.areIdle
    );
  }

  private whatIsLeft(): string {
    const jobs = [...this.postgres.jobs.values()].map((job: SimJob) => {
      const { status, open } = job.stored.fields;
      const rows = job.stored.rows.map((row) => `${row.idx}:${row.status}(turn ${row.turn}, ${row.worker ?? '-'})`);
      const needs = job.dependencies.map(
        ({ jobId, outcome, settled }) => `${jobId.slice(-1)}:${outcome}${settled ? '!' : ''}`,
      );
      const held = `needs [${needs.join(' ')}] told ${job.told}`;
      return `job ${job.id.slice(-1)} ${status} open ${open.toString(2)} [${rows.join(' ')}] ${held}`;
    });
    const pools = [...this.postgres.pools].map(([name, { used, max }]) => `${name} ${used}/${max}`);
    return [...jobs, ...pools, `${this.jetStream.size} messages`].join('; ');
  }

  /** A log in which an error is one: nothing that the services cannot explain may happen. */
  log(process: SimProcess): Logger {
    const silent = (): void => undefined;
    const error = (details: unknown, words?: string): void => {
      const { err } = details as { err?: unknown };
      if (err !== undefined) this.oracle.fail(`${process.name} logs an error: ${words ?? ''} ${inspect(err)}`);
    };
    const log = { trace: silent, debug: silent, info: silent, warn: silent, error, fatal: error };
    return log as unknown as Logger;
  }

  contextOf(process: SimProcess, drain: { draining: boolean }): ServiceContext {
    const config: ServiceConfig = { ...CONFIG, ...(guards.isOff('margin') && { sweepMarginMs: 0 }) };
    return { config, drain, log: this.log(process) } as unknown as ServiceContext;
  }
}
