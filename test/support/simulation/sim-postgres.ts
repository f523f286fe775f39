import type { Renewal } from '#shared/store/worker-registry';
import { isEnded, type JobStatus } from '#shared/domain/status';
import { hasStep } from '#shared/domain/step-set';
import { JobDraft, type JobFields, type Micros, type Pools } from '#shared/domain/turn/job-draft';
import { type Dependency, type DependencyOutcome, isUnsettled, type JobHold } from '#shared/domain/turn/job-hold';
import { tokensOf } from '#shared/domain/turn/tokens';
import type { CancelLook, LookPosition } from '#shared/store/jobs/cancels';
import type { UntoldJob } from '#shared/store/jobs/dependants';
import type { FastSettle, FastSettled } from '#shared/store/jobs/fast-settlement';
import type { Applied, Facts, JobCommand } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { NOW } from '../drafts';
import { settleByRules } from '../fast-settle-rules';
import type { StoredJob } from '../turn-walk';
import { guards } from './guards';
import { type PostgresWatch, type SimJob, stateOf, type WorkerRow } from './tables';

/**
 * What Postgres keeps, changed by the rules of the domain, one transaction at a time: the tables of jobs, steps,
 * attempts, dead letters, pools and workers, and the database's clock.
 */
export class SimPostgres {
  readonly jobs = new Map<string, SimJob>();
  readonly workers = new Map<string, WorkerRow>();
  readonly pools: Pools = new Map();
  readonly pipelines = new Map<string, StoredPipeline>();
  private lastNow: Micros = 0;

  constructor(
    private readonly clock: { readonly nowMs: number },
    private readonly watch: PostgresWatch,
  ) {}

  /** No two of its answers are the same. */
  now(): Micros {
    this.lastNow = Math.max(this.lastNow + 1, NOW + Math.round(this.clock.nowMs * 1_000));
    return this.lastNow;
  }

  insert(job: SimJob): void {
    this.jobs.set(job.id, job);
    const { definition } = job.pipeline;
    for (const step of definition.steps) {
      for (const { pool, max } of tokensOf(definition.name, step)) {
        if (!this.pools.has(pool)) this.pools.set(pool, { used: 0, max: max ?? 2 });
      }
    }
  }

  /** Applies the rule to the job and writes what it has changed. @param now when its transaction began */
  apply<Result>({ jobId, apply }: JobCommand<Result>, now: Micros): Applied<Result> | null {
    const job = this.jobs.get(jobId);
    if (!job) return null;
    const { pipeline, stored: before } = job;
    const rows = before.rows.map((row) => ({ ...row, output: undefined }));
    const draft = new JobDraft({ ...before.fields }, rows, pipeline.definition, pipeline.graph, now, holdOf(job));
    const usedBefore = Array.from(this.pools.values(), (pool) => pool.used);
    let result: Result;
    try {
      result = apply(draft, this.facts(now));
    } catch (error) {
      [...this.pools.values()].forEach((pool, index) => (pool.used = usedBefore[index] ?? 0));
      throw error;
    }
    const statusBefore = before.fields.status;
    if (draft.changed || draft.changedRows.size > 0) this.write(job, draft);
    return { result, draft, statusBefore, pipeline };
  }

  private write(job: SimJob, draft: JobDraft): void {
    const { stored: before } = job;
    const old = new Map(before.rows.map((row) => [row.idx, row]));
    for (const idx of draft.changedRows) {
      const row = draft.rows.get(idx);
      if (row) old.set(idx, { ...row, output: row.output ?? old.get(idx)?.output });
    }
    const fields: JobFields = { ...draft.job, version: before.fields.version + 1 };
    const attempts = [...before.attempts, ...draft.attempts];
    const letters = new Map([...job.deadLetters].filter(([idx]) => !hasStep(draft.redriven, idx)));
    for (const letter of draft.deadLetters) letters.set(letter.idx, letter);
    job.deadLetters = letters;
    const { eta, dependencies } = draft.hold;
    job.eta = eta;
    job.dependencies = job.dependencies.map(
      (known) => dependencies.find(({ jobId }) => jobId === known.jobId) ?? known,
    );
    if (fields.run > before.fields.run && job.told !== null) job.told = '';
    this.commit(job, { fields, rows: [...old.values()], attempts }, draft.redriven, draft.now);
  }

  /** The fast settle statement. @param seenDone what was done when it was sent, for a guard's control */
  settleFast(item: FastSettle, worker: string, seenDone: bigint): FastSettled {
    const job = this.jobs.get(item.jobId);
    const now = this.now();
    if (!job) return { kind: 'stale' };
    const [result, after] = guards.settleFast(job, item, seenDone, (stored, asked) =>
      settleByRules(stored, job.pipeline, asked, now, worker),
    );
    if (result.kind === 'stale') this.watch.stale(item.jobId);
    else this.commit(job, after, 0n, now);
    return result;
  }

  /** Held jobs whose time has come, released. */
  release(limit: number): SimJob[] {
    const now = this.now();
    const due = [...this.jobs.values()].filter(
      ({ stored, eta }) =>
        stored.fields.status === 'scheduled' && (guards.isOff('released when due') || (eta ?? 0) <= now),
    );
    for (const job of due.slice(0, limit)) {
      const { fields } = job.stored;
      const waits = job.dependencies.some(isUnsettled) && !guards.isOff('waits for others');
      const status = waits ? ('waiting' as const) : ('pending' as const);
      const open = waits ? 0n : job.pipeline.graph.roots;
      const released = { ...fields, status, open, dispatchedAt: waits ? null : now, version: fields.version + 1 };
      this.commit(job, { ...job.stored, fields: released }, 0n, now);
    }
    return due.slice(0, limit);
  }

  /** A job that is submitted: it is known to those that it needs, and what they are is known to it. */
  attach(job: SimJob, needs: readonly SimJob[]): void {
    job.dependencies = needs.map((needed): Dependency => {
      const outcome = isEnded(needed.stored.fields.status) ? (needed.stored.fields.status as DependencyOutcome) : null;
      const settled = outcome === 'completed' || (outcome !== null && job.onDependencyFailure === 'run');
      if (!settled) needed.told = outcome === null ? (needed.told ?? 'live') : '';
      return { jobId: needed.id, outcome: settled ? outcome : null, settled };
    });
  }

  untold(): UntoldJob[] {
    return [...this.jobs.values()]
      .filter((job) => job.told !== null && job.told !== stateOf(job.stored))
      .map(({ id, stored }) => ({ id, status: stored.fields.status }));
  }

  /** Those that know other of the job than its status. */
  toTell({ id, status }: UntoldJob): string[] {
    const state = isEnded(status) ? status : null;
    return [...this.jobs.values()]
      .filter(({ dependencies }) =>
        dependencies.some(({ jobId, outcome, settled }) => jobId === id && !settled && outcome !== state),
      )
      .map((job) => job.id);
  }

  noteTold(untold: UntoldJob): boolean {
    const job = this.jobs.get(untold.id);
    const state = isEnded(untold.status) ? untold.status : 'live';
    if (!job || stateOf(job.stored) !== state) return false;
    if (this.toTell(untold).length > 0) return false;
    job.told = state;
    return true;
  }

  private commit(job: SimJob, after: StoredJob, redriven: bigint, now: Micros): void {
    const before = job.stored;
    const isCancelling = after.fields.status === 'cancelling';
    job.stored = after;
    job.cancelAt = isCancelling ? (job.cancelAt ?? now) : null;
    job.cancelMark = isCancelling ? job.cancelMark : null;
    this.watch.committed({ job, before, after, redriven });
  }

  private facts(now: Micros): Facts {
    const leases = new Map<string, Micros>();
    for (const { id, leaseUntil } of this.workers.values()) if (leaseUntil > now) leases.set(id, leaseUntil);
    const statusOf = (id: string): JobStatus | undefined => this.jobs.get(id)?.stored.fields.status;
    return { leases: guards.leases(leases, this.workers), pools: this.pools, statusOf };
  }

  register(id: string, name: string, leaseMs: number): Micros {
    const now = this.now();
    const leaseUntil = now + leaseMs * 1_000;
    this.workers.set(id, { id, name, registeredAt: now, leaseUntil, polledAt: null, windingDown: [] });
    return now;
  }

  remove(id: string): void {
    const worker = this.workers.get(id);
    if (worker && worker.leaseUntil > this.now()) this.watch.leaves(id);
    this.workers.delete(id);
  }

  renew(id: string, leaseMs: number): Renewal | null {
    const now = this.now();
    const worker = this.workers.get(id);
    if (!worker || worker.leaseUntil <= now) return null;
    worker.leaseUntil = now + leaseMs * 1_000;
    const alive = [...this.workers.values()].filter(({ leaseUntil }) => leaseUntil > now);
    return { now, workersAlive: alive.length };
  }

  look(from: LookPosition, limit: number): CancelLook {
    const at = this.now();
    const jobs = [...this.jobs.values()]
      .flatMap(({ id, stored, cancelAt }) => (cancelAt === null ? [] : { id, run: stored.fields.run, cancelAt }))
      .filter(({ id, cancelAt }) => cancelAt > from.cancelAt || (cancelAt === from.cancelAt && id > from.id))
      .sort((a, b) => a.cancelAt - b.cancelAt || (a.id < b.id ? -1 : 1))
      .slice(0, limit);
    const last = jobs.at(-1);
    const next = last && jobs.length === limit ? { cancelAt: last.cancelAt, id: last.id } : null;
    return { jobs: jobs.map(({ id, run }) => ({ id, run })), at: last ? at : 0, next };
  }

  acknowledge(id: string, until: Micros, windingDown: readonly string[]): void {
    const worker = this.workers.get(id);
    if (!worker) return;
    this.watch.acknowledged(worker, until, windingDown);
    worker.polledAt = until;
    worker.windingDown = windingDown;
  }

  mark(jobId: string | null): number {
    const now = this.now();
    const unmarked = [...this.jobs.values()].filter(
      (job) => job.cancelAt !== null && job.cancelMark === null && (jobId === null || job.id === jobId),
    );
    for (const job of unmarked) job.cancelMark = now;
    return unmarked.length;
  }

  acknowledged(): string[] {
    const now = this.now();
    const awaited = (job: SimJob, mark: Micros): boolean =>
      [...this.workers.values()].some(
        ({ leaseUntil, registeredAt, polledAt, windingDown }) =>
          leaseUntil > now &&
          registeredAt <= mark &&
          (polledAt === null || polledAt <= mark || windingDown.includes(job.id)),
      );
    return [...this.jobs.values()]
      .filter((job) => job.cancelMark !== null && !guards.waitsForWorkers(awaited(job, job.cancelMark)))
      .map((job) => job.id);
  }
}

/** As a transaction reads it: only what is not settled, for the rule to change. */
const holdOf = ({ eta, dependencies, onDependencyFailure, told }: SimJob): JobHold => ({
  eta,
  onDependencyFailure,
  dependencies: dependencies.filter(isUnsettled).map((dependency) => ({ ...dependency })),
  hasDependants: told !== null,
});
