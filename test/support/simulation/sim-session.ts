import type { Micros } from '#shared/domain/turn/job-draft';
import type { FastSettle, FastStep } from '#shared/store/jobs/fast-settlement';
import type { Point } from './plan';
import type { Surroundings } from './surroundings';
import type { SimProcess } from './virtual-time';

/** No answer for so long: the driver gives up. It was stopped meanwhile, its timers ring before it reads. */
const ANSWER_LIMIT_MS = 20_000;

/** What the driver says when the connection breaks: it is in doubt whether the statement was run. */
const broken = (): Error => Object.assign(new Error('Connection terminated unexpectedly'), { code: '08006' });

/** A process's connections to the database. In the place of a DataSource. */
export class SimSession {
  readonly isInitialized = true;

  constructor(
    readonly world: Surroundings,
    readonly process: SimProcess,
  ) {}

  /** Runs a statement that only reads. @throws when the database is out of reach */
  read<T>(statement: () => T): Promise<T> {
    return this.ask((resolve, reject) => {
      this.world.time.after(this.latencyMs(), this.process, () => {
        if (this.isCut()) reject(broken());
        else resolve(statement());
      });
    });
  }

  /** Runs a statement that the database finishes whatever becomes of who has sent it. */
  write<T>(point: Point, jobId: string | null, statement: () => T): Promise<T> {
    return this.ask((resolve, reject) => {
      this.world.time.after(this.latencyMs(), null, () => {
        if (this.isCut()) return void this.reply(() => reject(broken()));
        this.finish(point, jobId, statement, resolve, reject);
      });
    });
  }

  /**
   * Runs rules between a lock and a commit: they are the process's own doing, so that it must be alive for it.
   * @param commit given when the transaction began
   */
  transact<T>(jobId: string | null, commit: (now: Micros) => T): Promise<T> {
    const { time, postgres } = this.world;
    return this.ask((resolve, reject) => {
      time.after(this.latencyMs() / 2, null, () => {
        const begunAt = postgres.now();
        time.after(this.latencyMs() / 2, this.process, () => {
          if (this.isCut()) return reject(broken());
          this.finish('committed', jobId, () => commit(begunAt), resolve, reject);
        });
      });
    });
  }

  /** For LaneClient, whose one statement is the fast settlement. */
  createQueryRunner(): { connect: () => Promise<unknown>; release: () => Promise<void> } {
    const query = async (asked: string | { name: string; values: unknown[] }): Promise<unknown> =>
      typeof asked === 'string' ? undefined : { rows: await this.settleFast(asked.values) };
    return { connect: async () => ({ query, end: () => undefined }), release: async () => undefined };
  }

  private settleFast(values: unknown[]): Promise<object[]> {
    const { postgres } = this.world;
    const worker = String(values[21]);
    const items = itemsOf(values, (jobId) => postgres.jobs.get(jobId)?.pipeline.graph);
    const seenDone = items.map(({ jobId }) => postgres.jobs.get(jobId)?.stored.fields.done ?? 0n);
    return this.write('committed', items[0]?.jobId ?? null, () =>
      items.flatMap((item, index) => {
        const result = postgres.settleFast(item, worker, seenDone[index] ?? 0n);
        if (result.kind === 'stale') return [];
        const { status, statusBefore: status_before, version, kept, opened, dispatchedAt } = result;
        const opens = kept === null ? opened : opened | (1n << BigInt(kept));
        return [{ id: item.jobId, status, status_before, version, kept, new: opens, dispatched_us: dispatchedAt }];
      }),
    );
  }

  private finish<T>(
    point: Point,
    jobId: string | null,
    statement: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const { world, process } = this;
    let result: T;
    try {
      result = statement();
    } catch (error) {
      return void this.reply(() => reject(error));
    }
    world.point(point, { process, jobId });
    const isLost = world.takeFlag(process, 'doubt');
    this.reply(() => {
      if (isLost || process.lastStopMs > ANSWER_LIMIT_MS) reject(broken());
      else resolve(result);
    });
  }

  private reply(tell: () => void): void {
    const stops = this.process.stops;
    this.world.time.after(this.latencyMs() / 2, this.process, () => {
      if (this.process.stops === stops) this.process.lastStopMs = 0;
      tell();
    });
  }

  private ask<T>(send: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    const { time } = this.world;
    return new Promise((resolve, reject) => {
      // What a process is at when it is killed goes on to the end of the event: none of it may get out.
      time.go(this.process, () => {
        if (this.isCut()) time.after(1, this.process, () => reject(broken()));
        else send(resolve, reject);
      });
    });
  }

  private isCut(): boolean {
    return this.world.isCut(this.process);
  }

  private latencyMs(): number {
    return this.world.databaseLatencyMs(this.process);
  }
}

/** The items of a fast settlement, out of the parameters that the statement takes. */
function itemsOf(values: unknown[], graphOf: (jobId: string) => FastSettle['graph'] | undefined): FastSettle[] {
  const column = (index: number): string[] => String(values[index]).slice(1, -1).split(',');
  const [jobs = [], runs = [], , , , keepables = [], heads = [], , , firsts = [], lasts = []] = Array.from(
    { length: 11 },
    (_, index) => column(index),
  );
  const [indices = [], started = [], finished = [], durations = [], cpu = [], memory = [], done = []] = Array.from(
    { length: 7 },
    (_, index) => column(13 + index),
  );
  const outputs = JSON.parse(String(values[20])) as ({ [key: string]: string } | null)[];
  const stepOf = (place: number): FastStep => {
    const idx = Number(indices[place]);
    const startedAt = Number(started[place]);
    if (done[place] !== 'true') return { kind: 'running', idx, startedAt };
    return {
      ...{ kind: 'completed', idx, startedAt, output: outputs[place] ?? {}, finishedAt: Number(finished[place]) },
      durationMs: Number(durations[place]),
      cpuPercent: Number(cpu[place]),
      memoryMb: Number(memory[place]),
    };
  };
  return jobs.flatMap((jobId, index) => {
    const graph = graphOf(jobId);
    if (!graph) return [];
    const first = Number(firsts[index]);
    const steps = Array.from({ length: Number(lasts[index]) - first + 1 }, (_, place) => stepOf(first - 1 + place));
    const [run, head] = [Number(runs[index]), Number(heads[index])];
    return [{ jobId, run, head, graph, steps, keepable: BigInt(keepables[index] ?? 0) }];
  });
}
