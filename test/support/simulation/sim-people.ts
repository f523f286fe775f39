import type { Publisher } from '#shared/bus/publisher';
import { type Turn, TurnPublisher } from '#shared/bus/turn-publisher';
import { CANCEL_BROADCAST } from '#shared/contracts/subjects';
import { isLimited } from '#shared/domain/pipeline';
import { isEnded } from '#shared/domain/status';
import { stepsIn } from '#shared/domain/step-set';
import { cancelJob } from '#shared/domain/turn/cancel';
import { rescheduleJob } from '#shared/domain/turn/hold';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import { isUnsettled } from '#shared/domain/turn/job-hold';
import { retryJob } from '#shared/domain/turn/retry';
import { draftOf } from '../drafts';
import { notify, SimBus, SimPublisher } from './bus-doubles';
import type { Scenario } from './scenario';
import { SimSession } from './sim-session';
import type { SimJob } from './tables';
import type { Surroundings } from './surroundings';
import { SimCancels, SimTransactions } from './store-doubles';
import { SimProcess } from './virtual-time';

interface Gateway {
  readonly process: SimProcess;
  readonly turns: TurnPublisher;
  readonly transactions: SimTransactions;
  readonly cancels: SimCancels;
}

/** What people ask for, and the gateway that does it: stores, then publishes; cancels, then marks, then says so. */
export class SimPeople {
  private gateway!: Gateway;
  /** Jobs that somebody wants to run again once they have ended. */
  private readonly wanted = new Map<SimJob, number | null>();
  private toSubmit = 0;
  private asking = 0;

  constructor(private readonly world: Surroundings) {
    this.startGateway();
  }

  /** What the gateway was at when it died is left as it was. */
  gatewayDied(process: SimProcess): void {
    if (process === this.gateway.process) this.startGateway();
  }

  private startGateway(): void {
    const { world } = this;
    const process = new SimProcess('gateway');
    const session = new SimSession(world, process);
    this.asking = 0;
    this.gateway = {
      process,
      turns: new TurnPublisher(new SimPublisher(new SimBus(world, process)) as unknown as Publisher),
      transactions: new SimTransactions(session),
      cancels: new SimCancels(session),
    };
  }

  get haveAskedAll(): boolean {
    return this.toSubmit === 0 && this.asking === 0 && this.wanted.size === 0;
  }

  submitAll(): void {
    const { jobs, pipelines } = this.world.scenario;
    const { time, postgres } = this.world;
    const stored = pipelines.map((pipeline, index) => ({ ...pipeline, hash: `pipeline-${index}` }));
    for (const pipeline of stored) postgres.pipelines.set(pipeline.hash, pipeline);
    jobs.forEach((plan, index) => {
      const { atMs, pipeline: which, needs } = plan;
      const pipeline = stored[which % stored.length];
      if (!pipeline) throw new Error('a job has no pipeline');
      this.toSubmit += 1;
      time.after(atMs, null, () => {
        this.toSubmit -= 1;
        const job = this.newJob(index, pipeline, plan);
        const before = [...postgres.jobs.values()];
        postgres.attach(job, [...new Set(needs.flatMap((place) => before[place] ?? []))]);
        this.hold(job);
        postgres.insert(job);
        const { open, dispatchedAt } = job.stored.fields;
        const askedAtMs = time.nowMs;
        this.begin(() => this.publish(job, open, dispatchedAt, 1, askedAtMs));
      });
    });
    this.watchEnds();
  }

  /** What was submitted to begin at once waits for the jobs that it needs. */
  private hold({ stored, dependencies }: SimJob): void {
    const { fields } = stored;
    if (fields.status !== 'pending' || !dependencies.some(isUnsettled)) return;
    Object.assign(fields, { status: 'waiting', open: 0n, dispatchedAt: null });
  }

  private newJob(index: number, pipeline: SimJob['pipeline'], plan: Scenario['jobs'][number]): SimJob {
    const { heldMs, priority, onDependencyFailure } = plan;
    const now = this.world.postgres.now();
    const id = `0190a0b0-0000-7000-8000-${index.toString().padStart(12, '0')}`;
    const isHeld = heldMs !== null;
    const { job: fields } = draftOf({
      pipeline: pipeline.definition,
      job: {
        ...{ id, priority, status: isHeld ? 'scheduled' : 'pending', open: isHeld ? 0n : pipeline.graph.roots },
        dispatchedAt: isHeld ? null : now,
      },
    });
    return {
      ...{ id, pipeline, createdAt: now, deadLetters: new Map(), cancelAt: null, cancelMark: null },
      eta: isHeld ? now + heldMs * 1_000 : null,
      ...{ onDependencyFailure, dependencies: [], told: null },
      stored: { fields, rows: [], attempts: [] },
      data: {
        ...{ source: null, source_type: null, branch: null, commit: null },
        ...{ input: {}, options: {}, outputs: {} },
      },
    };
  }

  ask(what: 'cancel' | 'retry' | 'rerun', job: SimJob, which: number): void {
    if (what === 'cancel') return void this.begin(() => this.cancel(job));
    const idx = what === 'retry' ? null : which % job.pipeline.graph.count;
    this.wanted.set(job, idx);
  }

  /** Retries come when the job has ended; a job that somebody has completed meanwhile needs none. */
  private watchEnds(): void {
    for (const [job, from] of this.wanted) {
      if (!isEnded(job.stored.fields.status)) continue;
      this.wanted.delete(job);
      this.begin(() => this.retry(job, from));
    }
    this.world.time.after(250, null, () => this.watchEnds());
  }

  private begin(doing: () => Promise<void>): void {
    this.asking += 1;
    this.world.time.after(1, this.gateway.process, () => {
      // A gateway that cannot reach the database says so.
      void doing()
        .catch(() => undefined)
        .then(() => (this.asking -= 1));
    });
  }

  private async cancel(job: SimJob): Promise<void> {
    const applied = await this.gateway.transactions.run({ jobId: job.id, apply: cancelJob });
    if (applied?.result !== 'cancelling') return;
    await this.gateway.cancels.mark(job.id);
    notify(new SimBus(this.world, this.gateway.process), CANCEL_BROADCAST);
  }

  reschedule(job: SimJob, ms: number): void {
    this.begin(async () => {
      const apply = (draft: JobDraft): boolean => rescheduleJob(draft, { countdown: ms <= 2_000 ? 0 : ms / 1_000 });
      const applied = await this.gateway.transactions.run({ jobId: job.id, apply });
      const fields = applied?.draft.job;
      if (applied?.result && fields) await this.publish(job, applied.draft.opened, fields.dispatchedAt, fields.run);
    });
  }

  private async retry(job: SimJob, from: number | null): Promise<void> {
    const applied = await this.gateway.transactions.run({
      jobId: job.id,
      apply: (draft, { pools }) => retryJob(draft, from, pools),
    });
    const fields = applied?.draft.job;
    if (applied?.result && fields) await this.publish(job, applied.result, fields.dispatchedAt, fields.run);
  }

  /** Without `askedAtMs` they have to be claimed. */
  private async publish(job: SimJob, steps: bigint, at: number | null, run: number, askedAtMs?: number): Promise<void> {
    const { hash, definition } = job.pipeline;
    const turns = stepsIn(steps).flatMap((head): Turn[] => {
      const step = definition.steps[head];
      if (!step || at === null) return [];
      const read = run > 1 || askedAtMs === undefined || isLimited(step);
      const message = { job_id: job.id, run, head, at, read, pipeline_hash: hash, data: read ? undefined : job.data };
      return [{ message, queue: step.queue, priority: job.stored.fields.priority, askedAtMs }];
    });
    await Promise.all(turns.map((turn) => this.gateway.turns.publish(turn)));
  }
}
