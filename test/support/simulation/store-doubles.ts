import type { WorkData } from '#shared/contracts/work-message';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { hasStep, type StepSet } from '#shared/domain/step-set';
import type { Micros, StepRow } from '#shared/domain/turn/job-draft';
import { GroupCommit } from '#shared/store/group-commit';
import type { CancelLook, LookPosition } from '#shared/store/jobs/cancels';
import type { ToTell, UntoldJob } from '#shared/store/jobs/dependants';
import type { DueLook, ReleasedJob } from '#shared/store/jobs/due-jobs';
import type { Applied, JobCommand } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { ActiveJob, StepName, SweepPosition } from '#shared/store/jobs/stuck-steps';
import type { OwnedStep, Renewal, WorkerDescription } from '#shared/store/worker-registry';
import type { SimJob } from './tables';
import type { SimSession } from './sim-session';
import { guards } from './guards';

/* In the place of the classes of the store: each asks the simulated database, as its process, by statements. */

type Outcome = { readonly applied: Applied<unknown> | null } | { readonly thrown: unknown };

export class SimTransactions {
  private readonly group: GroupCommit<JobCommand<unknown>, Outcome>;

  constructor(private readonly session: SimSession) {
    this.group = new GroupCommit<JobCommand<unknown>, Outcome>({
      commit: (commands) => this.commit(commands),
      keyOf: (command) => command.jobId,
      maxBatch: 500,
    });
  }

  async run<Result>(command: JobCommand<Result>): Promise<Applied<Result> | null> {
    const outcome = await this.group.add(command);
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.applied as Applied<Result> | null;
  }

  close(): Promise<void> {
    return this.group.idle();
  }

  private commit(commands: JobCommand<unknown>[]): Promise<Outcome[]> {
    const { postgres } = this.session.world;
    return this.session.transact(commands[0]?.jobId ?? null, (now) =>
      commands.map((command): Outcome => {
        try {
          return { applied: postgres.apply(command, now) };
        } catch (thrown) {
          return { thrown };
        }
      }),
    );
  }
}

export class SimPipelines {
  private readonly known = new Set<string>();

  constructor(private readonly session: SimSession) {}

  async get(hash: string): Promise<StoredPipeline> {
    const found = await this.find(hash);
    if (!found) throw new Error(`no pipeline ${hash}`);
    return found;
  }

  async find(hash: string): Promise<StoredPipeline | null> {
    const { pipelines } = this.session.world.postgres;
    const found = await this.session.read(() => pipelines.get(hash) ?? null);
    this.known.add(hash);
    return found;
  }

  peek(hash: string): StoredPipeline | undefined {
    return this.known.has(hash) ? this.session.world.postgres.pipelines.get(hash) : undefined;
  }
}

export class SimWorkData {
  constructor(private readonly session: SimSession) {}

  read(jobId: string, pipeline: PipelineDefinition, steps: StepSet): Promise<WorkData | null> {
    return this.session.read(() => {
      const job = this.session.world.postgres.jobs.get(jobId);
      if (!job) return null;
      const completed = job.stored.rows.filter(({ idx, status }) => status === 'completed' && hasStep(steps, idx));
      const outputs: WorkData['outputs'] = {};
      for (const { idx, output } of completed) outputs[pipeline.steps[idx]?.name ?? ''] = output ?? {};
      return { ...job.data, outputs };
    });
  }
}

/** There are no recurring schedules: what they make are jobs like any other. */
export class SimTicks {
  async run(): Promise<{ claimed: number; made: [] }> {
    return { claimed: 0, made: [] };
  }

  async nextInMs(): Promise<null> {
    return null;
  }

  async close(): Promise<void> {
    // Nothing was opened.
  }
}

export class SimReports {
  async writeProgress(): Promise<void> {
    // Nothing here looks at progress.
  }

  async writeLogs(): Promise<void> {
    // Nor at log lines.
  }

  async trimLogs(): Promise<void> {
    // There are none.
  }
}

export class SimRegistry {
  constructor(private readonly session: SimSession) {}

  register({ id }: WorkerDescription, leaseMs: number): Promise<Micros> {
    const { world, process } = this.session;
    world.oracle.registers(id, process);
    return this.session.write('registered', null, () => world.postgres.register(id, process.place, leaseMs));
  }

  renew(id: string, leaseMs: number): Promise<Renewal | null> {
    return this.session.write('renewed', null, () => this.session.world.postgres.renew(id, leaseMs));
  }

  async remove(id: string): Promise<void> {
    await this.session.write('left', null, () => this.session.world.postgres.remove(id));
  }

  runningOf(id: string): Promise<OwnedStep[]> {
    return this.session.read(() =>
      guards.unknownRows(
        [...this.session.world.postgres.jobs.values()].flatMap(({ id: jobId, stored }) =>
          stored.rows
            .filter(({ status, worker }) => status === 'running' && worker === id)
            .map(({ idx, epoch }) => ({ jobId, idx, epoch })),
        ),
      ),
    );
  }

  async forgetGone(): Promise<void> {
    // Rows of workers that are gone are in nobody's way.
  }
}

/** So few that there are more than one page shows. */
export const CANCELS_ON_ONE_PAGE = 1;

export class SimCancels {
  constructor(private readonly session: SimSession) {}

  look(from: LookPosition): Promise<CancelLook> {
    return this.session.write('looked', null, () => this.session.world.postgres.look(from, CANCELS_ON_ONE_PAGE));
  }

  async acknowledge(worker: string, until: Micros, windingDown: readonly string[]): Promise<void> {
    const { postgres } = this.session.world;
    const said = guards.windingDown(windingDown);
    await this.session.write('acknowledged', null, () => postgres.acknowledge(worker, until, said));
  }

  mark(jobId: string | null = null): Promise<number> {
    return this.session.write('marked', jobId, () => this.session.world.postgres.mark(jobId));
  }

  acknowledged(): Promise<string[]> {
    return this.session.read(() => this.session.world.postgres.acknowledged());
  }
}

export class SimStuckSteps {
  constructor(private readonly session: SimSession) {}

  now(): Promise<Micros> {
    return this.session.read(() => this.session.world.postgres.now());
  }

  activeJobs(from: SweepPosition, createdBefore: Micros, marginMs: number, limit: number): Promise<ActiveJob[]> {
    return this.session.read(() => {
      const { postgres } = this.session.world;
      const dispatchedBefore = postgres.now() - marginMs * 1_000;
      return [...postgres.jobs.values()]
        .filter(({ stored }) => stored.fields.status === 'pending' || stored.fields.status === 'running')
        .filter(({ id, createdAt }) => createdAt > from.createdAt || (createdAt === from.createdAt && id > from.id))
        .filter(
          ({ createdAt, stored }) =>
            createdAt < createdBefore && (stored.fields.dispatchedAt ?? Infinity) < dispatchedBefore,
        )
        .sort((a, b) => a.createdAt - b.createdAt)
        .slice(0, limit)
        .map((job) => activeJob(job));
    });
  }

  dueRetries(limit: number): Promise<StepName[]> {
    return this.steps(limit, (row) => {
      const due = (row.nextRetryAt ?? Infinity) <= this.session.world.postgres.now();
      return row.status === 'retrying' && row.awaitsScheduler && due;
    });
  }

  nextRetryInMs(): Promise<number | null> {
    return this.session.read(() => {
      const waiting = this.rows().filter(({ row }) => row.status === 'retrying' && row.awaitsScheduler);
      const next = Math.min(...waiting.map(({ row }) => row.nextRetryAt ?? Infinity));
      return waiting.length === 0 ? null : (next - this.session.world.postgres.now()) / 1_000;
    });
  }

  parked(limit: number): Promise<StepName[]> {
    return this.session.read(() => {
      const rows = this.rows().sort((a, b) => (a.jobId < b.jobId ? -1 : a.jobId > b.jobId ? 1 : a.row.idx - b.row.idx));
      return [...this.session.world.postgres.pools]
        .flatMap(([name, { used, max }]) =>
          rows
            .filter(({ row }) => row.status === 'parked' && row.waitsFor === name)
            .slice(0, Math.max(0, max - used))
            .map(({ jobId, row: { idx } }, place) => ({ jobId, idx, place })),
        )
        .sort((a, b) => a.place - b.place)
        .slice(0, limit);
    });
  }

  private steps(limit: number, wanted: (row: StepRow) => boolean): Promise<StepName[]> {
    return this.session.read(() =>
      this.rows()
        .filter(({ row }) => wanted(row))
        .slice(0, limit)
        .map(({ jobId, row }) => ({ jobId, idx: row.idx })),
    );
  }

  private rows(): { jobId: string; row: StepRow }[] {
    return [...this.session.world.postgres.jobs.values()].flatMap(({ id: jobId, stored }) =>
      stored.rows.map((row) => ({ jobId, row })),
    );
  }
}

function activeJob({ id, pipeline, createdAt, stored }: SimJob): ActiveJob {
  const { priority, run, open, dispatchedAt } = stored.fields;
  const rows = stored.rows.map(({ idx, status }) => ({ idx, status }));
  return { id, pipelineHash: pipeline.hash, priority, run, open, dispatchedAt: dispatchedAt ?? 0, createdAt, rows };
}

export class SimDependants {
  constructor(private readonly session: SimSession) {}

  untold(): Promise<UntoldJob[]> {
    return this.session.read(() => (guards.isOff('dependants are told') ? [] : this.session.world.postgres.untold()));
  }

  toTell(jobs: readonly UntoldJob[], limit: number): Promise<ToTell[]> {
    const { postgres } = this.session.world;
    return this.session.read(() =>
      jobs.flatMap((job) => postgres.toTell(job).map((jobId) => ({ jobId, neededId: job.id }))).slice(0, limit),
    );
  }

  noteTold(jobs: readonly UntoldJob[]): Promise<number> {
    const { postgres } = this.session.world;
    return this.session.write('committed', jobs[0]?.id ?? null, () => {
      return jobs.filter((job) => postgres.noteTold(job)).length;
    });
  }

  async close(): Promise<void> {
    // It has no connection.
  }
}

export class SimDueJobs {
  constructor(private readonly session: SimSession) {}

  release(limit: number): Promise<DueLook> {
    return this.session.write('committed', null, () => {
      const { postgres } = this.session.world;
      const now = postgres.now();
      const jobs = postgres.release(limit).map(({ id, pipeline, data, eta, stored: { fields } }): ReleasedJob => {
        const releasedAt = fields.dispatchedAt ?? now;
        return {
          ...{ id, pipelineHash: pipeline.hash, priority: fields.priority, version: fields.version },
          ...{ run: fields.run, status: fields.status === 'waiting' ? 'waiting' : 'pending' },
          ...{ opened: fields.open, releasedAt, dueAt: eta ?? releasedAt, data },
        };
      });
      const held = [...postgres.jobs.values()].filter(({ stored }) => stored.fields.status === 'scheduled');
      const next = Math.min(...held.map(({ eta }) => eta ?? Infinity).filter((eta) => eta > now));
      return { jobs, now, next: next === Infinity ? null : next, isFull: jobs.length === limit, isBlocked: false };
    });
  }

  async close(): Promise<void> {
    // It has no connection of its own.
  }
}
