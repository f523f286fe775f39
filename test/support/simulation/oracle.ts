import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from '#shared/domain/json';
import { isEnded } from '#shared/domain/status';
import { hasStep, isSubset, NO_STEPS, stepsIn } from '#shared/domain/step-set';
import type { AttemptRecord, StepRow } from '#shared/domain/turn/job-draft';
import { tokensOf } from '#shared/domain/turn/tokens';
import type { ActiveTurn, CurrentAttempt } from '../../../apps/step-worker/src/turn/active-turn';
import type { StoredJob } from '../turn-walk';
import type { Handed } from './sim-jetstream';
import type { SimPostgres } from './sim-postgres';
import type { Change, PostgresWatch, SimJob, WorkerRow } from './tables';
import type { SimProcess } from './virtual-time';

/** One run of a handler: what really happened, whatever was recorded of it. */
export interface Execution {
  readonly number: number;
  readonly jobId: string;
  readonly idx: number;
  readonly run: number;
  readonly epoch: number;
  readonly worker: string;
  readonly process: SimProcess;
  readonly delivery: { readonly handed: Handed };
  readonly output: JsonObject;
}

/** What it has to know of a world. */
export interface Observed {
  readonly time: { readonly nowMs: number };
  readonly postgres: SimPostgres;
  /** Nothing goes wrong that may cost any work. */
  readonly isClean: boolean;
  /** Whether nothing but steps kills workers, and whether this one does. */
  readonly isKilledByStepsAlone: boolean;
  kills(jobId: string, idx: number): boolean;
}

/** Looks at everything that happens and says what must not be. */
export class Oracle implements PostgresWatch {
  /** The first thing that was wrong. */
  violation: string | null = null;
  readonly executions = new Map<number, Execution>();
  private readonly running = new Set<Execution>();
  private readonly recorded = new Set<number>();
  private readonly processOf = new Map<string, SimProcess>();
  private readonly acknowledgedBy = new Map<SimProcess, Map<string, number>>();
  private readonly attemptsBefore = new Map<string, number>();
  /** Incarnations that have ended in good order, while their lease still ran. */
  private readonly left = new Set<string>();

  constructor(private readonly world: Observed) {}

  fail(what: string): void {
    this.violation ??= `at ${Math.round(this.world.time.nowMs)} ms: ${what}`;
  }

  private hold(condition: boolean, what: () => string): void {
    if (!condition) this.fail(what());
  }

  registers(id: string, process: SimProcess): void {
    this.processOf.set(id, process);
  }

  leaves(id: string): void {
    this.left.add(id);
  }

  died(process: SimProcess): void {
    for (const execution of this.running) if (execution.process === process) this.running.delete(execution);
  }

  /** A handler starts. */
  begins(turn: ActiveTurn, current: CurrentAttempt, process: SimProcess, outputs: JsonObject): Execution {
    const { job_id: jobId, run } = turn.message;
    const number = this.executions.size + 1;
    const { idx, epoch, grantedBy } = current;
    const inputs = Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, numberOf(output)]));
    const execution: Execution = {
      ...{ number, jobId, idx, run, epoch, worker: grantedBy.id, process },
      ...{ delivery: turn.delivery as unknown as Execution['delivery'], output: { number, inputs } },
    };
    this.executions.set(number, execution);
    const job = this.world.postgres.jobs.get(jobId);
    if (job) this.mayBegin(execution, turn, job);
    this.running.add(execution);
    return execution;
  }

  ends(execution: Execution): void {
    this.running.delete(execution);
  }

  private mayBegin(execution: Execution, turn: ActiveTurn, { stored: { fields }, pipeline }: SimJob): void {
    const { jobId, idx, run, process } = execution;
    const what = `${process.name} begins step ${idx} of job ${jobId.slice(-1)}`;
    const acknowledged = this.acknowledgedBy.get(process)?.get(jobId) ?? 0;
    this.hold(run > acknowledged, () => `${what} after it has acknowledged its cancel`);
    this.hold(fields.status !== 'cancelled' || run !== fields.run, () => `${what} after the job was cancelled`);
    if (this.isExcused(execution)) return;
    this.hold(run === fields.run, () => `${what} in run ${run}, though run ${fields.run} has begun`);
    this.hold(!isEnded(fields.status), () => `${what} after the job has ${fields.status}`);
    this.hold(!hasStep(fields.done | fields.dead, idx), () => `${what} though that is over`);
    const own = turn.unrecorded.reduce((set, step) => set | (1n << BigInt(step.idx)), NO_STEPS);
    this.hold(isSubset(pipeline.graph.needs[idx] ?? 0n, fields.done | own), () => `${what} before its needs`);
    for (const other of this.running) {
      if (other.jobId !== jobId || other.idx !== idx || this.isExcused(other)) continue;
      this.fail(`${what} while ${other.process.name} runs it: by nobody’s fault`);
    }
    this.holdLimits(execution, what);
  }

  /** Of what runs by the rules, not of what a fault has let run twice. */
  private holdLimits(next: Execution, what: string): void {
    const used = new Map<string, number>();
    for (const execution of [next, ...this.running]) {
      const job = this.world.postgres.jobs.get(execution.jobId);
      const step = job?.pipeline.definition.steps[execution.idx];
      if (!job || !step || this.isExcused(execution)) continue;
      for (const { pool, count } of tokensOf(job.pipeline.definition.name, step)) {
        used.set(pool, (used.get(pool) ?? 0) + count);
      }
    }
    for (const [pool, count] of used) {
      const max = this.world.postgres.pools.get(pool)?.max ?? 0;
      this.hold(count <= max, () => `${what}: ${count} of ${max} of ${pool} are at work`);
    }
  }

  /** A fault has led to it: its worker has lost its lease, or its message came when it should not. */
  private isExcused({ worker, delivery }: Execution): boolean {
    const { postgres } = this.world;
    return delivery.handed.message.excused || (postgres.workers.get(worker)?.leaseUntil ?? 0) <= postgres.now();
  }

  stale(jobId: string): void {
    if (this.world.isClean) this.fail(`work of job ${jobId.slice(-1)} is thrown away without a fault`);
  }

  acknowledged(worker: WorkerRow, until: number, windingDown: readonly string[]): void {
    const process = this.processOf.get(worker.id);
    if (!process) return;
    const known = this.acknowledgedBy.get(process) ?? new Map<string, number>();
    this.acknowledgedBy.set(process, known);
    for (const { id, cancelMark, stored } of this.world.postgres.jobs.values()) {
      if (cancelMark === null || cancelMark >= until || windingDown.includes(id)) continue;
      known.set(id, stored.fields.run);
      for (const { jobId, idx, process: other, run } of this.running) {
        if (jobId !== id || other !== process || run !== stored.fields.run) continue;
        this.fail(`${process.name} acknowledges the cancel of job ${id.slice(-1)}, of which it runs step ${idx}`);
      }
    }
  }

  committed(change: Change): void {
    const { job, before, after } = change;
    const name = `job ${job.id.slice(-1)}`;
    const again = after.fields.run > before.fields.run;
    if (isEnded(before.fields.status) && !again) {
      // What it is told of a job that it needs, though it has ended, is a version of its own.
      const same = { ...after, fields: { ...after.fields, version: before.fields.version } };
      this.hold(isDeepStrictEqual(same, before), () => `${name} has ${before.fields.status} and changes`);
    }
    if (after.fields.status === 'cancelled') this.holdStopped(name, job);
    this.holdHeld(name, change);
    this.holdJob(name, job, after);
    for (const row of after.rows) {
      const old = before.rows.find((other) => other.idx === row.idx);
      if (!old || differs(row, old)) this.holdRow(`step ${row.idx} of ${name}`, change, old, row);
    }
    for (const attempt of after.attempts.slice(before.attempts.length)) this.holdAttempt(name, job, before, attempt);
    this.holdTokens();
  }

  /** It is not let go before its time, nor before the jobs that it needs. */
  private holdHeld(name: string, { job, before, after }: Change): void {
    const was = before.fields.status;
    if (after.fields.status !== 'pending' || (was !== 'scheduled' && was !== 'waiting')) return;
    this.hold((job.eta ?? 0) <= this.world.postgres.now(), () => `${name} begins before its time`);
    for (const { jobId, settled } of job.dependencies) {
      this.hold(settled, () => `${name} begins before job ${jobId.slice(-1)}, which it needs`);
    }
  }

  /** Everything has ended: a job that has failed without any of its steps has a job that it needs to thank for it. */
  isOver(): void {
    const { jobs } = this.world.postgres;
    for (const { id, stored, dependencies } of jobs.values()) {
      if (stored.fields.status !== 'failed' || stored.rows.length > 0) continue;
      const lost = dependencies.some(({ jobId, settled }) => {
        const status = jobs.get(jobId)?.stored.fields.status;
        return !settled && (status === 'failed' || status === 'cancelled');
      });
      this.hold(lost, () => `job ${id.slice(-1)} stays failed for a job that has not`);
    }
  }

  private holdStopped(name: string, { id }: SimJob): void {
    for (const execution of this.running) {
      if (execution.jobId !== id || this.isExcused(execution)) continue;
      this.fail(`${name} is cancelled while ${execution.process.name} runs step ${execution.idx} of it`);
    }
  }

  private holdJob(name: string, { pipeline, deadLetters }: SimJob, { fields, rows }: StoredJob): void {
    const { status, done, dead, open } = fields;
    const { graph } = pipeline;
    this.hold((open & (done | dead)) === NO_STEPS && (done & dead) === NO_STEPS, () => `${name}: masks overlap`);
    const ready = stepsIn(done | open).every((idx) => isSubset(graph.needs[idx] ?? 0n, done));
    this.hold(ready, () => `${name}: a step is open or done before its needs`);
    if (isEnded(status)) {
      this.hold(open === NO_STEPS, () => `${name} has ${status} with steps open`);
      this.hold((done | dead) === graph.all, () => `${name} has ${status} with steps that are not over`);
    }
    const isLive = status === 'pending' || status === 'running';
    this.hold(!isLive || open !== NO_STEPS, () => `${name} is ${status} and nothing is open`);
    const done_ = rows
      .filter((row) => row.status === 'completed')
      .reduce((set, { idx }) => set | (1n << BigInt(idx)), 0n);
    this.hold(done_ === done, () => `${name}: done ${done.toString(2)}, completed rows ${done_.toString(2)}`);
    const failed = rows.filter((row) => row.status === 'failed').map((row) => row.idx);
    this.hold(
      isDeepStrictEqual(failed.toSorted(), [...deadLetters.keys()].toSorted()),
      () => `${name}: failed steps ${failed.join()}, dead letters ${[...deadLetters.keys()].join()}`,
    );
  }

  private holdRow(
    what: string,
    { job, before, after, redriven }: Change,
    old: StepRow | undefined,
    row: StepRow,
  ): void {
    const isAgain = hasStep(redriven, row.idx);
    const key = `${job.id}:${row.idx}`;
    if (isAgain) this.attemptsBefore.set(key, row.attempts);
    this.hold(row.epoch >= (old?.epoch ?? 1), () => `${what}: its epoch falls`);
    this.hold(old?.status !== 'completed' || isAgain, () => `${what} is recorded again`);
    const max = job.pipeline.definition.steps[row.idx]?.max_retries ?? 0;
    this.hold(row.retryCount <= max, () => `${what}: retried ${row.retryCount} times of ${max}`);
    const retries = after.attempts.filter(
      ({ idx, number, nextDelayMs }) =>
        idx === row.idx && number > (this.attemptsBefore.get(key) ?? 0) && nextDelayMs !== null,
    );
    this.hold(
      retries.length === row.retryCount,
      () => `${what}: retry_count ${row.retryCount}, ${retries.length} retries`,
    );
    this.hold(!row.held || row.status === 'running', () => `${what} holds tokens while it is ${row.status}`);
    if (old?.status === 'retrying' && row.status === 'running') {
      const isDue = (old.nextRetryAt ?? 0) <= this.world.postgres.now();
      this.hold(isDue, () => `${what} is tried again before that is due`);
    }
    if (row.status === 'completed') this.holdEffect(what, job, before, after, row);
  }

  /** What was recorded is what a handler gave, once, and it was given what is recorded. */
  private holdEffect(what: string, job: SimJob, before: StoredJob, after: StoredJob, row: StepRow): void {
    const execution = this.executions.get(numberOf(row.output));
    if (!execution) return this.fail(`${what} has an output that no handler has given`);
    const isItsOwn = execution.jobId === job.id && execution.idx === row.idx && execution.run === after.fields.run;
    this.hold(isItsOwn, () => `${what} has the output of step ${execution.idx}, run ${execution.run}`);
    this.hold(!this.recorded.has(execution.number), () => `${what}: one execution is recorded twice`);
    this.recorded.add(execution.number);
    const attempt = after.attempts.findLast(({ idx, outcome }) => idx === row.idx && outcome === 'completed');
    const isNew = !before.attempts.some((other) => other === attempt);
    this.hold(isNew && attempt?.epoch === execution.epoch, () => {
      return `${what}: what began at epoch ${execution.epoch} is recorded as epoch ${attempt?.epoch ?? 0}`;
    });
    const names = job.pipeline.definition.steps.map((step) => step.name);
    for (const [name, number] of Object.entries(execution.output.inputs as JsonObject)) {
      const need = after.rows.find((other) => other.idx === names.indexOf(name));
      this.hold(numberOf(need?.output) === number && need?.status === 'completed', () => {
        return `${what} was given an output of ${name} that is not the one recorded`;
      });
    }
    for (const idx of stepsIn(job.pipeline.graph.ancestors[row.idx] ?? 0n)) {
      const given = (execution.output.inputs as JsonObject)[names[idx] ?? ''];
      this.hold(given !== undefined, () => `${what} was not given the output of step ${idx}`);
    }
  }

  private holdAttempt(name: string, { stored }: SimJob, before: StoredJob, attempt: AttemptRecord): void {
    const what = `${name}, step ${attempt.idx}`;
    const earlier = before.attempts.filter(({ idx }) => idx === attempt.idx);
    this.hold(
      !earlier.some(({ epoch }) => epoch === attempt.epoch),
      () => `${what}: two attempts have the epoch ${attempt.epoch}`,
    );
    this.hold(attempt.number === earlier.length + 1, () => `${what}: attempts are not numbered`);
    if (attempt.outcome !== 'crashed') return;
    const { postgres } = this.world;
    const worker = attempt.worker ?? '';
    const isOver = (postgres.workers.get(worker)?.leaseUntil ?? 0) <= postgres.now();
    this.hold(isOver, () => `${what}: ${worker} is said to have crashed, and is alive`);
    this.hold(!this.left.has(worker), () => `${what}: a drain of ${worker} counts as a crash`);
    const twice = earlier.some((other) => other.outcome === 'crashed' && other.worker === worker);
    this.hold(!twice, () => `${what}: one crash of ${worker} counts twice`);
    this.hold(!this.world.isClean, () => `${what}: a crash in version ${stored.fields.version}, and none was`);
    const crashes = earlier.filter(({ outcome }) => outcome === 'crashed').length + 1;
    const isBlamed = crashes > 2 && this.world.isKilledByStepsAlone && !this.world.kills(stored.fields.id, attempt.idx);
    this.hold(!isBlamed, () => `${what} is given up after ${crashes} crashes that another step has caused`);
  }

  private holdTokens(): void {
    const held = new Map<string, number>();
    for (const { pipeline, stored } of this.world.postgres.jobs.values()) {
      for (const row of stored.rows) {
        const step = pipeline.definition.steps[row.idx];
        if (!row.held || !step) continue;
        for (const { pool, count } of tokensOf(pipeline.definition.name, step)) {
          held.set(pool, (held.get(pool) ?? 0) + count);
        }
      }
    }
    for (const [name, { used, max }] of this.world.postgres.pools) {
      this.hold(used === (held.get(name) ?? 0), () => `${name}: ${used} used, ${held.get(name) ?? 0} held`);
      this.hold(used <= max, () => `${name}: ${used} used of ${max}`);
    }
  }
}

const differs = (row: StepRow, old: StepRow): boolean =>
  row.status !== old.status || row.attempts !== old.attempts || row.epoch !== old.epoch || row.output !== old.output;

const numberOf = (output: unknown): number =>
  typeof output === 'object' && output !== null && 'number' in output ? Number(output.number) : 0;
