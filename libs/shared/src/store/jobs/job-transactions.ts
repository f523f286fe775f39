import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { isLimited } from '#shared/domain/pipeline';
import { isEnded, type JobStatus } from '#shared/domain/status';
import { JobDraft, type Micros, type Pools } from '#shared/domain/turn/job-draft';
import { tokensOf, type TokenNeed } from '#shared/domain/turn/tokens';
import { type AttemptSink, endedAttempt } from '#shared/domain/usage/step-usage';
import { guardHolds } from '#shared/runtime/failpoints';
import { execute, type NamedStatement } from '#shared/store/database';
import { GroupCommit } from '#shared/store/group-commit';
import {
  ADD_POOLS,
  type JobRow,
  jobFieldsOf,
  jobHoldOf,
  LOCK_JOBS,
  UNLOCKED_JOBS,
  LOCK_POOLS,
  READ_LEASES,
  READ_STEPS,
  stepRowOf,
  type StepRowRecord,
  WRITE_DRAFTS,
  WRITE_POOLS,
} from '#shared/store/jobs/draft-statements';
import { writeDeadLetters } from '#shared/store/jobs/dead-letter-writes';
import { readDependencies, writeDependencies } from '#shared/store/jobs/dependency-writes';
import { draftColumns } from '#shared/store/jobs/draft-columns';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { LaneClient } from '#shared/store/lane-client';

/** What a rule of the protocol may look at besides the job. */
export interface Facts {
  readonly leases: ReadonlyMap<string, Micros>;
  readonly pools: Pools;
  /** How a job stands that the command has locked besides its own; undefined: there is none. */
  readonly statusOf: (jobId: string) => JobStatus | undefined;
}

/** One change of one job: a pure rule of `domain/turn` with what it needs bound. Called with the job's row locked. */
export interface JobCommand<Result> {
  readonly jobId: string;
  /** Another job to lock, so that it stays as it is. */
  readonly beside?: string;
  readonly apply: (draft: JobDraft, facts: Facts) => Result;
}

/** The job as it is after the commit, with what the rule returned. */
export interface Applied<Result> {
  readonly result: Result;
  readonly draft: JobDraft;
  readonly statusBefore: JobStatus;
  readonly pipeline: StoredPipeline;
}

const BEGIN: NamedStatement = { name: 'begin', text: 'BEGIN' };
const COMMIT: NamedStatement = { name: 'commit', text: 'COMMIT' };

type Command = JobCommand<unknown>;
type Outcome = { readonly applied: Applied<unknown> | null } | { readonly thrown: unknown };

type Drafts = Map<
  string,
  { readonly draft: JobDraft; readonly pipeline: StoredPipeline; readonly statusBefore: JobStatus }
>;

export interface JobTransactionsOptions {
  /** After a commit in which a job that others need has ended, or goes on after its end: they have to be told. */
  readonly onUntold?: () => void;
  /** Called after the commit for each attempt that it has recorded. */
  readonly onAttempt?: AttemptSink;
}

/**
 * Runs commands in groups: lock the jobs in id order, read their steps (only now: what was read before the lock could be
 * old), then the pools in name order, apply the rules, write everything, commit. One connection, one batch at a time.
 */
export class JobTransactions {
  private readonly group: GroupCommit<Command, Outcome>;
  private readonly lane: LaneClient;

  constructor(
    database: DataSource,
    private readonly pipelines: PipelineStore,
    private readonly options: JobTransactionsOptions = {},
  ) {
    this.lane = new LaneClient(database);
    this.group = new GroupCommit<Command, Outcome>({
      commit: (commands) => this.commit(commands),
      keyOf: (command) => command.jobId,
      maxBatch: 500,
    });
  }

  /**
   * Resolves when the command's change is committed; null: there is no such job.
   * @throws the database's error: then it is in doubt whether the change was made
   */
  async run<Result>(command: JobCommand<Result>): Promise<Applied<Result> | null> {
    const outcome = await this.group.add(command);
    if ('thrown' in outcome) throw outcome.thrown;
    return outcome.applied as Applied<Result> | null;
  }

  async close(): Promise<void> {
    await this.group.idle();
    await this.lane.drop();
  }

  private async commit(commands: Command[]): Promise<Outcome[]> {
    return this.lane.run(async (client) => {
      await execute(client, BEGIN, []);
      const ids = commands.flatMap(({ jobId, beside }) => (beside === undefined ? jobId : [jobId, beside]));
      const drafts = await this.load(client, [...new Set(ids)]);
      const facts = await this.readFacts(client, drafts);
      const poolsBefore = usedOf(facts.pools);
      const outcomes = commands.map((command): Outcome => {
        const loaded = drafts.get(command.jobId);
        if (!loaded) return { applied: null };
        const used = usedOf(facts.pools);
        try {
          return { applied: { result: command.apply(loaded.draft, facts), ...loaded } };
        } catch (thrown) {
          // A rule that throws changes nothing, and takes no other job of the batch with it.
          drafts.delete(command.jobId);
          for (const [name, pool] of facts.pools) pool.used = used.get(name) ?? pool.used;
          return { thrown };
        }
      });
      await write(client, [...drafts.values()].map((loaded) => loaded.draft).filter(hasChanged));
      await writePools(client, facts.pools, poolsBefore);
      await execute(client, COMMIT, []);
      if ([...drafts.values()].some(isUntold)) this.options.onUntold?.();
      for (const { draft } of drafts.values()) this.tellAttempts(draft);
      return outcomes;
    });
  }

  private tellAttempts(draft: JobDraft): void {
    const { onAttempt } = this.options;
    if (!onAttempt) return;
    for (const attempt of draft.attempts) {
      onAttempt(draft.pipeline.name, draft.step(attempt.idx).name, attempt.finishedAt, endedAttempt(attempt));
    }
  }

  private async load(client: PoolClient, ids: string[]): Promise<Drafts> {
    const statement = guardHolds('gateway.changes_lock') ? LOCK_JOBS : UNLOCKED_JOBS;
    const jobs = await execute<JobRow>(client, statement, [ids]);
    const rowsOf = new Map<string, StepRowRecord[]>(jobs.map((job) => [job.id, []]));
    if (jobs.length > 0) {
      for (const row of await execute<StepRowRecord>(client, READ_STEPS, [jobs.map((job) => job.id)])) {
        rowsOf.get(row.job_id)?.push(row);
      }
    }
    const needing = jobs.filter((job) => job.needs_jobs > 0).map((job) => job.id);
    const dependencies = await readDependencies(client, needing);
    const drafts: Drafts = new Map();
    for (const job of jobs) {
      const pipeline = this.pipelines.peek(job.pipeline_hash) ?? (await this.pipelines.get(job.pipeline_hash));
      const steps = (rowsOf.get(job.id) ?? []).map(stepRowOf);
      const { definition, graph } = pipeline;
      const hold = jobHoldOf(job, dependencies.get(job.id) ?? []);
      const draft = new JobDraft(jobFieldsOf(job), steps, definition, graph, Number(job.now_us), hold);
      drafts.set(job.id, { draft, pipeline, statusBefore: job.status });
    }
    return drafts;
  }

  private async readFacts(client: PoolClient, drafts: Drafts): Promise<Facts> {
    const all = [...drafts.values()].map((loaded) => loaded.draft);
    const leases = new Map<string, Micros>();
    if (all.some((draft) => draft.openRows().some((row) => row.status === 'running'))) {
      for (const row of await execute<{ id: string; lease_us: string }>(client, READ_LEASES, [])) {
        leases.set(row.id, Number(row.lease_us));
      }
    }
    return { leases, pools: await lockPools(client, all), statusOf: (jobId) => drafts.get(jobId)?.draft.job.status };
  }
}

const usedOf = (pools: Pools): Map<string, number> => new Map(Array.from(pools, ([name, pool]) => [name, pool.used]));

/** What the job's dependants know of it is no longer so. */
const isUntold = ({ draft, statusBefore }: { draft: JobDraft; statusBefore: JobStatus }): boolean =>
  draft.hold.hasDependants && draft.changed && isEnded(draft.job.status) !== isEnded(statusBefore);

const hasChanged = (draft: JobDraft): boolean => draft.changed || draft.changedRows.size > 0;

async function lockPools(client: PoolClient, drafts: JobDraft[]): Promise<Pools> {
  const needs = new Map<string, TokenNeed>();
  for (const { pipeline } of drafts) {
    for (const step of pipeline.steps) {
      if (isLimited(step)) for (const need of tokensOf(pipeline.name, step)) needs.set(need.pool, need);
    }
  }
  const pools: Pools = new Map();
  if (needs.size === 0) return pools;
  const own = [...needs.values()].filter((need) => need.max !== null);
  if (own.length > 0) {
    await execute(client, ADD_POOLS, [own.map((need) => need.pool), own.map((need) => need.max)]);
  }
  const rows = await execute<{ name: string; used: number; max: number }>(client, LOCK_POOLS, [[...needs.keys()]]);
  for (const row of rows) pools.set(row.name, { used: row.used, max: row.max });
  return pools;
}

async function write(client: PoolClient, drafts: JobDraft[]): Promise<void> {
  if (drafts.length === 0) return;
  await execute(client, WRITE_DRAFTS, draftColumns(drafts));
  await writeDeadLetters(client, drafts);
  await writeDependencies(
    client,
    drafts.flatMap(({ job, hold }) => hold.dependencies.map((dependency) => ({ jobId: job.id, dependency }))),
  );
}

async function writePools(client: PoolClient, pools: Pools, before: ReadonlyMap<string, number>): Promise<void> {
  const changed = [...pools].filter(([name, pool]) => pool.used !== before.get(name));
  if (changed.length === 0) return;
  await execute(client, WRITE_POOLS, [changed.map(([name]) => name), changed.map(([, pool]) => pool.used)]);
}
