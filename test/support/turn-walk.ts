import { isLimited, type PipelineDefinition, type PipelineGraph, pipelineGraph } from '#shared/domain/pipeline';
import { isEnded } from '#shared/domain/status';
import { hasStep, stepsIn } from '#shared/domain/step-set';
import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import { type ClaimRequest, claimStep } from '#shared/domain/turn/claim';
import { type AttemptKey, type AttemptResult, endAttempt } from '#shared/domain/turn/end-attempt';
import {
  type AttemptRecord,
  JobDraft,
  type JobFields,
  type Micros,
  type Pools,
  type StepRow,
} from '#shared/domain/turn/job-draft';
import { handBack, mendSteps, releaseJob, releaseParked, releaseRetry } from '#shared/domain/turn/mend';
import { tokensOf } from '#shared/domain/turn/tokens';
import { COMPLETED, draftOf, failure, MEASURED, NOW, SECOND } from './drafts';

/** A job as it is stored between two changes. */
export interface StoredJob {
  readonly fields: JobFields;
  readonly rows: readonly StepRow[];
  readonly attempts: readonly AttemptRecord[];
}

/** An attempt that some worker believes to own. */
interface Grant extends AttemptKey {
  readonly job: number;
}

/** What one move did, for whoever watches the walk. */
export interface Move {
  readonly name: string;
  readonly job: number;
  readonly before: StoredJob;
  readonly after: StoredJob;
  readonly draft: JobDraft;
  readonly outcome: unknown;
}

/** Gives a number from 0 to below `count`; the walk ends when there are no more. */
export type Choose = (count: number) => number;

const WORKERS = ['A', 'B', 'C'] as const;
const LEASE = 10 * SECOND;
/** Of the pool that limited steps of random pipelines share. */
const SHARED_TOKENS = 2;

/**
 * Jobs of one pipeline, moved at random by rules as workers, gateway and schedulers apply them, at good and at bad
 * moments: late, twice, by the wrong worker, after a lease, for an old run.
 */
export class TurnWalk {
  readonly jobs: StoredJob[];
  readonly pools: Pools = new Map([['resource:shared', { used: 0, max: SHARED_TOKENS }]]);
  readonly graph: PipelineGraph;
  now: Micros;
  private readonly leases: Map<string, Micros>;
  private readonly grants: Grant[] = [];

  constructor(
    readonly pipeline: PipelineDefinition,
    private readonly choose: Choose,
    /** Told of every move that went to a job. */
    private readonly watch: (move: Move) => void = () => undefined,
    { jobCount = 2, start = NOW }: { jobCount?: number; start?: Micros } = {},
  ) {
    this.now = start;
    this.leases = new Map(WORKERS.map((worker) => [worker, start + LEASE]));
    this.graph = pipelineGraph(pipeline.steps);
    for (const step of pipeline.steps) {
      for (const { pool, max } of tokensOf(pipeline.name, step))
        if (max !== null) this.pools.set(pool, { used: 0, max });
    }
    this.jobs = Array.from({ length: jobCount }, (_, index) => {
      const held = this.choose(4) === 0;
      const status = held ? 'scheduled' : 'pending';
      const open = held ? 0n : this.graph.roots;
      const id = `0190a0b0-0000-7000-8000-${index.toString().padStart(12, '0')}`;
      return stored(draftOf({ pipeline, job: { id, status, open, dispatchedAt: held ? null : start } }), []);
    });
  }

  /** One move of somebody. */
  move(): void {
    const moves = [
      ...[this.passTime, this.passTime, this.lease, this.release, this.beginUnread, this.beginUnread],
      ...[this.claim, this.claim, this.claim, this.complete, this.complete, this.complete, this.complete],
      ...[this.stop, this.fail, this.fail, this.fail, this.handBack, this.mend, this.releaseRetry, this.releaseParked],
      ...[this.ask, this.ask, this.crash, this.crash, this.crash, this.crash],
    ];
    this.pick(moves)?.call(this);
  }

  /** No more faults: whatever state the jobs are in, a fair schedule ends them all. @throws when it does not */
  finish(): void {
    for (let round = 0; this.jobs.some((job) => !isEnded(job.fields.status)); round += 1) {
      if (round > 50) throw new Error(`still not over: ${JSON.stringify(this.jobs, asText)}`);
      this.now += 100 * SECOND;
      this.jobs.forEach((_, job) => {
        this.apply('release', job, (draft) => releaseJob(draft));
        this.apply('finishCancel', job, (draft) => finishCancel(draft, this.leases, this.pools));
        for (const idx of stepsIn(this.graph.all)) {
          this.apply('releaseRetry', job, (draft) => releaseRetry(draft, idx));
          const turn = this.rowOf(job, idx)?.turn ?? idx;
          this.claimOf(job, 'fair', turn, { knows: () => false, mayTakeSuspect: () => true });
          for (const grant of this.grants.splice(0)) this.settle(grant, COMPLETED, () => false);
        }
      });
    }
  }

  private passTime(): void {
    this.now += this.pick([1_000, SECOND, 3 * SECOND, 61 * SECOND]) ?? 0;
  }

  private lease(): void {
    const worker = this.pick(WORKERS) ?? 'A';
    if (this.choose(3) === 0) this.leases.delete(worker);
    else this.leases.set(worker, this.now + LEASE);
  }

  /** A worker dies in the middle of a step, and the step's message comes to another one. */
  private crash(): void {
    const job = this.anyJob();
    const row = this.pick((this.jobs[job]?.rows ?? []).filter((found) => found.status === 'running'));
    if (!row) return;
    this.leases.delete(row.worker ?? '');
    this.claimOf(job, 'D', row.turn, { knows: () => false, mayTakeSuspect: () => true });
  }

  private release(): void {
    this.apply('release', this.anyJob(), (draft) => releaseJob(draft));
  }

  /** A delivery that nobody reads for: at a good moment, or again, or long after. */
  private beginUnread(): void {
    const job = this.anyJob();
    const idx = this.anyStep();
    const step = this.pipeline.steps[idx];
    if (!step || isLimited(step)) return;
    this.grants.push({ job, run: 1, head: idx, idx, epoch: 1, fast: true, worker: this.pick(WORKERS) ?? 'A' });
  }

  private claim(): void {
    const may = this.choose(4) > 0;
    const knows = this.choose(2) === 0;
    const late = this.choose(10) === 0 ? 1 : 0;
    const asked = { knows: () => knows, mayTakeSuspect: () => may };
    this.claimOf(this.anyJob(), this.pick(WORKERS) ?? 'A', this.anyStep(), asked, late);
  }

  private claimOf(
    job: number,
    worker: string,
    head: number,
    memory: Pick<ClaimRequest, 'knows' | 'mayTakeSuspect'>,
    runsLate = 0,
  ): void {
    const run = (this.jobs[job]?.fields.run ?? 1) - runsLate;
    const { leases, pools } = this;
    const outcome = this.apply('claim', job, (draft) =>
      claimStep(draft, { run, head, worker, isOwn: (id) => id === worker, leases, pools, ...memory }),
    );
    if (outcome.kind !== 'taken') return;
    this.grants.push({ job, run, head, idx: outcome.idx, epoch: outcome.epoch, fast: false, worker });
  }

  private complete(): void {
    const grant = this.anyGrant();
    const keeps = this.choose(8);
    if (grant) this.settle(grant, COMPLETED, (idx) => hasStep(BigInt(keeps), idx % 3) && this.isFree(idx));
  }

  private fail(): void {
    const grant = this.anyGrant();
    if (!grant) return;
    const permanent = this.choose(4) === 0;
    const delayMs = this.pick([0, 2_500, 60_000]) ?? 0;
    const maxRetries = this.pipeline.steps[grant.idx]?.max_retries ?? 0;
    const retry = (retryCount: number) =>
      permanent || retryCount >= maxRetries
        ? { kind: 'final' as const }
        : failure(delayMs, delayMs > 30_000).retry(retryCount);
    this.settle(grant, { ...failure(), retry }, () => false);
  }

  /** A worker has heard of a cancel, or believes so. */
  private stop(): void {
    const grant = this.anyGrant();
    if (grant) this.settle(grant, { kind: 'cancelled' }, () => false);
  }

  private settle(grant: Grant, result: AttemptResult, mayKeep: (idx: number) => boolean): void {
    const { job, ...key } = grant;
    const measured = { ...MEASURED, startedAt: this.now - SECOND, finishedAt: this.now };
    const name = result.kind === 'cancelled' ? 'stop' : grant.fast ? 'settle unread' : 'settle';
    const outcome = this.apply(name, job, (draft) => endAttempt(draft, key, result, measured, this.pools, mayKeep));
    if (outcome.kind === 'stale') return;
    // Now and then the worker tells it again.
    if (this.choose(3) > 0) this.grants.splice(this.grants.indexOf(grant), 1);
    if (!outcome.kept) return;
    const { idx, epoch } = outcome.kept;
    this.grants.push({ ...grant, idx, epoch });
  }

  private handBack(): void {
    const grant = this.anyGrant();
    if (!grant) return;
    const epoch = this.choose(3) === 0 ? null : grant.epoch;
    const worker = this.choose(4) === 0 ? (this.pick(WORKERS) ?? 'A') : grant.worker;
    this.apply('handBack', grant.job, (draft) => handBack(draft, grant.idx, worker, epoch, this.pools));
  }

  private mend(): void {
    const job = this.anyJob();
    const seenAt = (this.jobs[job]?.fields.dispatchedAt ?? 0) - (this.choose(5) === 0 ? 1 : 0);
    const lost = (row: StepRow | undefined): boolean =>
      row?.status === 'running' ? (this.leases.get(row.worker ?? '') ?? 0) <= this.now : this.choose(2) === 0;
    this.apply('mend', job, (draft) => mendSteps(draft, this.graph.all, seenAt, lost));
  }

  private releaseRetry(): void {
    const { job, idx } = this.anyRow('retrying');
    this.apply('releaseRetry', job, (draft) => releaseRetry(draft, idx));
  }

  private releaseParked(): void {
    const { job, idx } = this.anyRow('parked');
    this.apply('releaseParked', job, (draft) => releaseParked(draft, idx));
  }

  /** What people ask for: mostly what the state allows. */
  private ask(): void {
    const job = this.anyJob();
    const ended = isEnded(this.jobs[job]?.fields.status ?? 'pending');
    const from = this.choose(2) === 0 ? null : this.anyStep();
    const wanted = this.choose(6);
    if (ended ? wanted > 0 : wanted === 0) {
      this.apply(from === null ? 'retry' : 'rerun', job, (draft) => retryJob(draft, from, this.pools));
    } else if (wanted === 1) {
      this.apply('cancel', job, (draft) => cancelJob(draft));
    } else if (wanted === 2) {
      this.apply('finishCancel', job, (draft) => finishCancel(draft, this.leases, this.pools));
    }
  }

  private apply<T>(name: string, job: number, rule: (draft: JobDraft) => T): T {
    const before = this.jobs[job];
    if (!before) throw new RangeError(`no job ${job}`);
    const { fields, rows } = structuredClone(before);
    const draft = new JobDraft(fields, rows, this.pipeline, this.graph, this.now);
    const outcome = rule(draft);
    const after = stored(draft, before.attempts);
    this.jobs[job] = after;
    this.watch({ name, job, before, after, draft, outcome });
    return outcome;
  }

  private rowOf(job: number, idx: number): StepRow | undefined {
    return this.jobs[job]?.rows.find((row) => row.idx === idx);
  }

  private isFree(idx: number): boolean {
    const step = this.pipeline.steps[idx];
    return step !== undefined && !isLimited(step);
  }

  /** The newest, or any, however old. */
  private anyGrant(): Grant | undefined {
    return this.choose(2) === 0 ? this.grants.at(-1) : this.pick(this.grants);
  }

  /** A step whose row has the status, where there is one. */
  private anyRow(status: StepRow['status']): { job: number; idx: number } {
    const found = this.jobs.flatMap(({ rows }, job) =>
      rows.filter((row) => row.status === status).map(({ idx }) => ({ job, idx })),
    );
    return this.pick(found) ?? { job: this.anyJob(), idx: this.anyStep() };
  }

  private anyJob(): number {
    return this.choose(this.jobs.length);
  }

  private anyStep(): number {
    return this.choose(this.graph.count);
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[this.choose(Math.max(1, from.length))];
  }
}

const stored = (draft: JobDraft, attempts: readonly AttemptRecord[]): StoredJob =>
  structuredClone({
    fields: draft.job,
    rows: [...draft.rows.values()],
    attempts: [...attempts, ...draft.attempts],
  });

/** For `JSON.stringify`, which knows no bigint. */
const asText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString(2) : value);
