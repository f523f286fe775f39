import { type Frontier, purgeAcknowledgedOrphans, readFrontier } from '#shared/bus/frontier';
import type { NatsBus } from '#shared/bus/nats-bus';
import { workMessage } from '#shared/contracts/work-message';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { NO_STEPS, stepBit, stepsIn, type StepSet } from '#shared/domain/step-set';
import type { JobDraft, Micros, StepRow } from '#shared/domain/turn/job-draft';
import { mendSteps } from '#shared/domain/turn/mend';
import { failpoint, guardHolds } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { type ActiveJob, SWEEP_START, type StuckSteps, type SweepPosition } from '#shared/store/jobs/stuck-steps';
import { FrontierHistory } from './frontier-history';
import type { TurnDispatch } from './turn-dispatch';

const PAGE = 1_000;
/** A look goes on page by page while there is something to mend, so that a lost store is made good quickly. */
const PAGES_A_LOOK = 20;
const NEVER: Micros = 0;

export interface MenderDeps {
  readonly bus: NatsBus;
  readonly queues: readonly string[];
  readonly stuck: StuckSteps;
  readonly transactions: JobTransactions;
  readonly pipelines: PipelineStore;
  readonly dispatch: TurnDispatch;
  /** Brings back the stream and its consumers. */
  readonly ensure: () => Promise<void>;
  readonly marginMs: number;
  readonly lookMs: number;
  readonly log: Logger;
}

/**
 * The sweep: gives a message to open steps that have lost theirs. Why not "older than the oldest message": that waits for
 * ever behind an orphan, hours behind a long step, and compares two clocks. A step is lost when the subject's frontier
 * has passed it for a whole margin, which outlasts a lease, a publish and a flush, and nobody alive has recorded it.
 */
export class LostStepMender {
  private readonly histories = new Map<string, FrontierHistory>();
  private position: SweepPosition = SWEEP_START;

  constructor(private readonly deps: MenderDeps) {}

  /** One look. @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    if (!guardHolds('scheduler.sweeps')) return this.deps.lookMs;
    await this.lookAtFrontiers();
    let mended = 0;
    for (let page = 0; page < PAGES_A_LOOK; page += 1) {
      const jobs = await this.nextPage();
      mended += await this.mendAll(jobs);
      if (jobs.length < PAGE) break;
    }
    if (mended > 0) this.deps.log.warn({ steps: mended }, 'steps had lost their messages: sent again');
    return this.deps.lookMs;
  }

  private async lookAtFrontiers(): Promise<void> {
    const { bus, queues } = this.deps;
    // A subject that is empty says nothing of what is dispatched after the look, though it be the newest that is old enough.
    const lookedAt = await this.deps.stuck.now();
    for (const queue of queues) {
      for (const priority of PRIORITIES) {
        const frontier = await readFrontier(bus, queue, priority);
        if (frontier.kind === 'unknown') {
          this.history(queue, priority).forget();
          this.deps.log.warn({ queue, priority, reason: frontier.reason }, 'the work stream cannot be looked at');
          await this.deps.ensure();
          continue;
        }
        this.history(queue, priority).add(performance.now(), frontierAt(frontier, lookedAt));
        const purged = await purgeAcknowledgedOrphans(bus, queue, priority);
        if (purged > 0)
          this.deps.log.info({ queue, priority, messages: purged }, 'removed what was acknowledged before');
      }
    }
  }

  private async nextPage(): Promise<ActiveJob[]> {
    const { stuck, marginMs } = this.deps;
    const furthest = Math.max(
      NEVER,
      ...[...this.histories.values()].map((history) => history.passed(performance.now()) ?? NEVER),
    );
    if (furthest === NEVER) return [];
    const jobs = await stuck.activeJobs(this.position, furthest, marginMs, PAGE);
    const last = jobs.at(-1);
    this.position = last && jobs.length === PAGE ? { createdAt: last.createdAt, id: last.id } : SWEEP_START;
    return jobs;
  }

  private async mendAll(jobs: ActiveJob[]): Promise<number> {
    const mended = await Promise.all(jobs.map((job) => this.mend(job)));
    return mended.reduce((sum, count) => sum + count, 0);
  }

  private async mend(job: ActiveJob): Promise<number> {
    const { pipelines, transactions, dispatch, marginMs } = this.deps;
    const pipeline = pipelines.peek(job.pipelineHash) ?? (await pipelines.get(job.pipelineHash));
    const passed = this.passedSteps(job, pipeline);
    if (passed === NO_STEPS) return 0;
    const applied = await transactions.run({
      jobId: job.id,
      apply: (draft, { leases }) =>
        mendSteps(draft, passed, job.dispatchedAt, (row) => isLost(draft, row, leases, marginMs)),
    });
    if (!applied || applied.result === NO_STEPS) return 0;
    const { draft, result: steps } = applied;
    failpoint('scheduler.mended', job.id);
    const { run, priority, dispatchedAt } = draft.job;
    await dispatch.send({ jobId: job.id, run, priority, pipeline, steps, at: dispatchedAt ?? 0, read: true });
    return stepsIn(steps).length;
  }

  /** Open steps that the frontier of their own subject has passed, and whose rows do not speak against a loss. */
  private passedSteps(job: ActiveJob, pipeline: StoredPipeline): StepSet {
    const statusOf = new Map(job.rows.map((row) => [row.idx, row.status]));
    return stepsIn(job.open).reduce((set, idx) => {
      const step = pipeline.definition.steps[idx];
      if (!step || statusOf.get(idx) === 'parked') return set;
      const passed = this.histories.get(`${step.queue}.${job.priority}`)?.passed(performance.now()) ?? null;
      return passed !== null && job.dispatchedAt < passed ? set | stepBit(idx) : set;
    }, NO_STEPS);
  }

  private history(queue: string, priority: Priority): FrontierHistory {
    const key = `${queue}.${priority}`;
    const known = this.histories.get(key) ?? new FrontierHistory(this.deps.marginMs);
    this.histories.set(key, known);
    return known;
  }
}

/** Nobody moves the step: its message is its only mover, or the worker that ran it is gone, or its back-off is long over. */
function isLost(
  draft: JobDraft,
  row: StepRow | undefined,
  leases: ReadonlyMap<string, Micros>,
  marginMs: number,
): boolean {
  switch (row?.status) {
    case undefined:
    case 'queued':
      return true;
    case 'running':
      return (leases.get(row.worker ?? '') ?? NEVER) <= draft.now;
    case 'retrying':
      return !row.awaitsScheduler && (row.nextRetryAt ?? NEVER) < draft.now - marginMs * 1_000;
    case 'parked':
    case 'completed':
    case 'failed':
    case 'cancelled':
      return false;
  }
}

/** A message that cannot be read says nothing: as if it stood before everything, until it is terminated. */
function frontierAt(frontier: Exclude<Frontier, { kind: 'unknown' }>, lookedAt: Micros): Micros {
  if (frontier.kind === 'empty') return lookedAt;
  try {
    const parsed = workMessage.safeParse(JSON.parse(Buffer.from(frontier.data).toString()));
    return parsed.success ? parsed.data.at : NEVER;
  } catch {
    return NEVER;
  }
}
