import type { Guard, Point } from '#shared/runtime/failpoints';
import { until } from '../support/poll';
import { isAlive } from '../support/processes';
import type { TestStack } from '../support/stack';
import type { ServiceKind, TestService } from '../support/test-service';
import type { EffectsServer } from './effects';
import { untilAllEnded, untilAtRest } from './oracle';

const VARIABLE = 'SLUICE_INTERNAL_FAILPOINTS';
/** Every begin of a step is told: effects are counted outside of the database. */
const WITNESS = 'worker.begins=tell';

/** What a process said when a failpoint fired. */
export interface Fired {
  readonly failpoint: string;
  /** By the clock of its process. */
  readonly time: string;
  readonly action: 'kill' | 'stop' | 'tell' | 'off';
  readonly hit?: number;
  readonly job?: string;
  readonly step?: number;
  readonly epoch?: number;
}

export type ArmedPoint = `${Point}=${'kill' | 'stop'}@${number}`;

/** How many seconds a service's clock is ahead; negative: behind. */
export type ClockShift = `clock=${'+' | '-'}${number}s`;

export interface Begin {
  /** Milliseconds since 1970 by the worker's own clock. */
  readonly atMs: number;
  readonly job: string;
  readonly step: number;
  readonly epoch: number;
}

/** A stack of whole processes, some of whose guards may be away, and what its processes say of what befell them. */
export class FaultStage {
  /** What every service of a stack for faults is started with. */
  static readonly ENVIRONMENT: NodeJS.ProcessEnv = { [VARIABLE]: WITNESS };

  constructor(
    readonly stack: TestStack,
    /** What is done outside of Sluice. */
    readonly effects: EffectsServer,
    private readonly guards: readonly Guard[],
  ) {}

  /** Whether this run is a negative control. */
  get isControl(): boolean {
    return this.guards.length > 0;
  }

  isWithout(guard: Guard): boolean {
    return this.guards.includes(guard);
  }

  /** Sees to it that every service runs, with no point armed and without exactly the guards of this run. */
  async prepare(): Promise<void> {
    await Promise.all(
      this.services().map(async ([kind, service]) => {
        const guards = this.guards.filter((guard) => ownersOf(guard).includes(kind));
        const wanted = listOf(guards, []);
        if ((armedAs.get(service) ?? WITNESS) === wanted && (await isAlive(service.pid))) return;
        await this.restart(service, wanted);
      }),
    );
  }

  /** Kills a service and starts it again with points armed, and without the guards that this run goes without. */
  async arm(service: TestService, ...points: readonly (ArmedPoint | ClockShift)[]): Promise<void> {
    await this.restart(service, listOf(this.guards, points));
  }

  /**
   * Starts a service again so that it dies at the `hit`th time that it comes by a point.
   * @returns what resolves once it has, with what it said last
   */
  async armToDie(service: TestService, point: Point, hit: number): Promise<() => Promise<Fired>> {
    const count = this.fired(service, point).length + 1;
    const armed = listOf(this.guards, [`${point}=kill@${hit}`]);
    await service.kill();
    armedAs.set(service, armed);
    await service.startUnready({ [VARIABLE]: armed });
    // It may find work, and its end, before anybody has asked whether it is ready.
    await service.untilReady().catch(() => undefined);
    return async () => {
      const fired = await this.untilFired(service, point, { count });
      await service.exit();
      return fired;
    };
  }

  private async restart(service: TestService, armed: string): Promise<void> {
    await service.kill();
    armedAs.set(service, armed);
    await service.start({ [VARIABLE]: armed });
  }

  /** Starts a service that has died again as it was, and does not wait until it is ready. */
  async startAgain(service: TestService): Promise<void> {
    await service.startUnready({ [VARIABLE]: armedAs.get(service) ?? WITNESS });
  }

  /** What fired in a service, over all its lives. */
  fired(service: TestService, name?: Point | Guard): Fired[] {
    return service.lines.flatMap((line) => {
      if (!line.includes('"failpoint":')) return [];
      const entry = JSON.parse(line) as Fired;
      return name === undefined || entry.failpoint === name ? entry : [];
    });
  }

  /** What time it was for a service when it said something last: milliseconds since 1970. */
  clockOf(service: TestService): number {
    const { time } = JSON.parse(service.lines.findLast((line) => line.startsWith('{')) ?? '{}') as { time?: string };
    if (time === undefined) throw new Error(`${service.name} has said nothing`);
    return Date.parse(time);
  }

  /** Resolves with what a point said when it fired the `count`th time. @throws when it does not: no fault, no test */
  async untilFired(service: TestService, point: Point, { count = 1, deadlineMs = 30_000 } = {}): Promise<Fired> {
    return until(() => this.fired(service, point)[count - 1], {
      deadlineMs,
      everyMs: 5,
      what: `${point} in ${service.name}`,
    });
  }

  /** @throws when no process has missed one of the guards: then taking it away proved nothing */
  requireFired(guards: readonly Guard[]): void {
    const said = new Set(
      this.services().flatMap(([, service]) => this.fired(service).map(({ failpoint }) => failpoint)),
    );
    const silent = guards.filter((guard) => !said.has(guard));
    if (silent.length > 0) throw new Error(`nothing came by ${silent.join(', ')}`);
  }

  /**
   * Resolves when all of the jobs have ended; without the sweep, also when nothing is left that could move them.
   * @returns how many are stuck
   */
  async untilAtRest(jobs: readonly string[], deadlineMs = 90_000): Promise<number> {
    if (this.isWithout('scheduler.sweeps')) return untilAtRest(this.stack, jobs, deadlineMs);
    await untilAllEnded(this.stack, jobs, deadlineMs);
    return 0;
  }

  /** Resolves when nothing is left that could move the jobs but a scheduler. @returns how many of them are handed out */
  async untilQuiet(jobs: readonly string[]): Promise<number> {
    return untilAtRest(this.stack, jobs);
  }

  /**
   * Remembers the processes that run.
   * @returns what tells, later, which of them have ended since, or were started again
   */
  watchLives(): () => Promise<string[]> {
    const known = this.services().map(([, service]) => ({ service, pid: service.pid }));
    return async () => {
      const lives = await Promise.all(
        known.map(async ({ service, pid }) => service.pid === pid && (await isAlive(pid))),
      );
      return known.filter((_, i) => !lives[i]).map(({ service }) => service.name);
    };
  }

  /** Every call of a handler, by whatever worker or by the given one. */
  begins(...workers: TestService[]): Begin[] {
    return (workers.length > 0 ? workers : this.stack.workers).flatMap((worker) =>
      this.fired(worker, 'worker.begins').map(({ job = '', step = -1, epoch = 0, time }) => {
        return { job, step, epoch, atMs: Date.parse(time) };
      }),
    );
  }

  /** Gives so many schedulers, all without the guards that this run goes without; those that are missing are started. */
  async schedulers(count: number): Promise<TestService[]> {
    const { stack } = this;
    while (stack.moreSchedulers.length + 1 < count) {
      const armed = listOf(this.guards, []);
      armedAs.set(await stack.addScheduler({ [VARIABLE]: armed }), armed);
    }
    return [stack.scheduler, ...stack.moreSchedulers].slice(0, count);
  }

  private services(): [ServiceKind, TestService][] {
    const { stack } = this;
    const kinds = (['gateway', 'scheduler', 'metrics'] as const).filter((kind) => stack.has(kind));
    return [
      ...kinds.map((kind): [ServiceKind, TestService] => [kind, stack.service(kind)]),
      ...stack.moreSchedulers.map((scheduler): [ServiceKind, TestService] => ['scheduler', scheduler]),
      ...stack.workers.map((worker): [ServiceKind, TestService] => ['step-worker', worker]),
    ];
  }
}

/** What a service was started with last, where it is not what all are started with. */
const armedAs = new WeakMap<TestService, string>();

const listOf = (guards: readonly Guard[], points: readonly (ArmedPoint | ClockShift)[]): string =>
  [WITNESS, ...points, ...guards.map((guard) => `${guard}=off`)].join(',');

/** The services that a guard stands in. */
function ownersOf(guard: Guard): readonly ServiceKind[] {
  switch (guard.split('.')[0]) {
    case 'worker':
      return ['step-worker'];
    case 'scheduler':
      return ['scheduler'];
    case 'metrics':
      return ['metrics'];
    case 'gateway':
    case 'store':
      return ['gateway'];
    default:
      return ['gateway', 'scheduler', 'step-worker'];
  }
}
