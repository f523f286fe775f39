import type { NatsBus } from '#shared/bus/nats-bus';
import type { DrainLimits } from '#shared/runtime/drain';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { Database } from '#shared/store/database';
import { Scheduler } from '../../../apps/scheduler/src/scheduler';
import { StepWorker } from '../../../apps/step-worker/src/step-worker';
import { SimBus } from './bus-doubles';
import { SimSession } from './sim-session';
import { QUEUES } from './sim-jetstream';
import type { Surroundings } from './surroundings';
import { SimProcess } from './virtual-time';

/** How long a worker that is told to end lets its steps go on. */
const GRACE_MS = 3_000;

interface Place {
  readonly kind: 'worker' | 'scheduler';
  readonly name: string;
  process: SimProcess;
  worker: StepWorker | null;
  lives: number;
  isDraining: boolean;
}

/** The services, each in its place: when its process has ended, another one takes it. */
export class SimServices {
  private readonly places: Place[];

  constructor(private readonly world: Surroundings) {
    const { workers, schedulers } = world.scenario;
    const place = (kind: Place['kind'], name: string): Place => {
      return { kind, name, process: new SimProcess(name), worker: null, lives: 0, isDraining: false };
    };
    this.places = [
      ...Array.from({ length: workers }, (_, index) => place('worker', `worker ${index}`)),
      ...Array.from({ length: schedulers }, (_, index) => place('scheduler', `scheduler ${index}`)),
    ];
  }

  start(): void {
    for (const place of this.places) this.startIn(place);
  }

  worker(which: number): SimProcess {
    const workers = this.places.filter(({ kind }) => kind === 'worker');
    const place = workers[which % workers.length];
    if (!place) throw new Error('there is no worker');
    return place.process;
  }

  /** No worker has a turn. */
  get areIdle(): boolean {
    return this.places.every(({ process }) => {
      const strategy = this.world.slots.get(process);
      return process.state !== 'stopped' && (strategy === undefined || strategy.busy === 0);
    });
  }

  /** Another process takes the place of one that has died. */
  comesBack(process: SimProcess, downMs: number): void {
    const place = this.places.find((each) => each.process === process);
    this.forget(process);
    if (place) this.world.time.after(downMs, null, () => this.replace(place, process));
  }

  bringBackAll(): void {
    for (const place of this.places) {
      this.world.time.resume(place.process);
      if (place.process.state === 'dead') this.replace(place, place.process);
    }
  }

  /** SIGTERM: the process ends in good order, and another one is started. */
  drain(process: SimProcess, downMs: number): void {
    const place = this.places.find((each) => each.process === process);
    if (!place?.worker || place.isDraining || process.state === 'dead') return;
    const { worker } = place;
    place.isDraining = true;
    this.world.time.after(0, process, () => void this.end(process, worker, downMs));
  }

  private async end(process: SimProcess, worker: StepWorker, downMs: number): Promise<void> {
    this.contexts.get(process)?.begin();
    const grace = new AbortController();
    setTimeout(() => grace.abort(), GRACE_MS);
    const limits: DrainLimits = { graceOver: grace.signal, graceLeftMs: () => GRACE_MS };
    try {
      await worker.stopIntake();
      await worker.finish(limits);
    } catch {
      // It could not reach the database: it ends all the same.
    }
    this.world.crash(process, downMs);
  }

  private readonly contexts = new Map<SimProcess, { begin: () => void }>();

  private replace(place: Place, dead: SimProcess): void {
    if (place.process !== dead) return;
    place.lives += 1;
    place.process = new SimProcess(`${place.name}${'′'.repeat(place.lives)}`, place.name);
    this.startIn(place);
  }

  private forget(process: SimProcess): void {
    const strategy = this.world.slots.get(process);
    if (strategy) this.world.jetStream.pullers.delete(strategy);
    this.world.slots.delete(process);
    for (const all of this.world.listeners.values()) {
      for (const entry of all) if (entry.listener === process) all.delete(entry);
    }
  }

  private startIn(place: Place): void {
    const { world } = this;
    const { process } = place;
    place.isDraining = false;
    world.time.after(0, process, () => {
      const drain = { draining: false };
      this.contexts.set(process, { begin: () => (drain.draining = true) });
      const context = world.contextOf(process, drain);
      const database = new SimSession(world, process) as unknown as Database;
      const bus = new SimBus(world, process) as unknown as NatsBus;
      const catalog = { queues: [...QUEUES], pipelines: new Map(), pools: new Map() } as unknown as PipelineCatalog;
      if (place.kind === 'scheduler') {
        void new Scheduler(context, database, bus, catalog, new Map()).start();
        return;
      }
      const worker = new StepWorker(context, database, bus, catalog, { catalog: new Map(), more: [] });
      place.worker = worker;
      void worker.register().then((isRegistered) => {
        if (isRegistered) worker.strategy.listen(() => undefined);
      });
    });
  }
}
