import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { JOB_STATUSES, type JobStatus } from '#shared/domain/status';
import type { Micros } from '#shared/domain/turn/job-draft';
import { tokensOf } from '#shared/domain/turn/tokens';
import type { PoolState } from '#shared/domain/usage/usage-figures';
import { execute, type NamedStatement } from '#shared/store/database';
import {
  COUNT_JOBS,
  MOST_HOLDERS,
  MOST_JOBS_LOOKED_AT,
  PARKED_STEPS,
  READ_POOLS,
  READ_QUEUES,
  READY_STEPS,
  RETRYING_STEPS,
  RUNNING_STEPS,
} from '#shared/store/fleet-statements';
import { micros } from '#shared/store/jobs/draft-statements';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { LaneClient } from '#shared/store/lane-client';

/** What the store knows of a queue. */
export interface QueueRows {
  /** Steps that could begin, of the oldest jobs at work; of all, when the look is `complete`. */
  ready: number;
  /** Since when the job of the first of them was handed out. */
  readySince: Micros | null;
  /** Steps that wait for tokens. */
  parked: number;
  parkedSince: Micros | null;
  running: number;
  retrying: number;
}

/** How the fleet stands, as far as the store knows. */
export interface FleetRows {
  /** The database's time. */
  readonly at: Micros;
  /** Whether every job at work was looked at. */
  readonly complete: boolean;
  /** Queues that living workers take, or that have something in them. */
  readonly queues: ReadonlyMap<string, Readonly<QueueRows>>;
  /** By the pool's name: `resource:NAME` or `step:PIPELINE/STEP`. */
  readonly pools: ReadonlyMap<string, PoolState>;
  /** By status; every status is there. */
  readonly jobs: ReadonlyMap<JobStatus, number>;
}

interface StepsRow {
  readonly pipeline_hash: string;
  readonly idx: number;
  readonly steps: number;
  readonly since_us: string | null;
  readonly held_by: readonly string[] | null;
}

interface PoolRow {
  readonly name: string;
  readonly used: number;
  readonly max: number;
}

interface FoundRows {
  readonly at: Micros;
  readonly jobs: ReadonlyMap<string, number>;
  readonly pools: readonly PoolRow[];
  readonly queues: readonly string[];
  readonly ready: readonly StepsRow[];
  readonly running: readonly StepsRow[];
  readonly retrying: readonly StepsRow[];
  readonly parked: readonly StepsRow[];
}

/** All of one look is of one moment. It may not keep the tables from being cleaned. */
const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
const LIMIT_MS = 5_000;

const NOW: NamedStatement = { name: 'fleet_now', text: `SELECT ${micros('now()')} AS now_us` };

/** Reads how the fleet stands: what holds tokens, what is in the queues, how many jobs there are. */
export class FleetReader {
  private readonly lane: LaneClient;

  constructor(
    database: DataSource,
    private readonly pipelines: PipelineStore,
    private readonly mostJobs = MOST_JOBS_LOOKED_AT,
  ) {
    this.lane = new LaneClient(database, `SET statement_timeout = ${LIMIT_MS};`);
  }

  /** Not for use by two at once. @throws the database's error, also when a statement takes longer than 5 s */
  async read(): Promise<FleetRows> {
    const found = await this.lane.run(async (client) => {
      await client.query(BEGIN);
      const rows = await readAll(client, this.mostJobs);
      await client.query('COMMIT');
      return rows;
    });
    const fleet = new FleetTally(this.pipelines);
    await fleet.add(found.ready, (queue, { steps, since }) => {
      queue.ready += steps;
      queue.readySince = earliest(queue.readySince, since);
    });
    await fleet.add(found.running, (queue, { steps }) => {
      queue.running += steps;
    });
    await fleet.add(found.retrying, (queue, { steps }) => {
      queue.retrying += steps;
    });
    await fleet.add(found.parked, (queue, { steps, since }) => {
      queue.parked += steps;
      queue.parkedSince = earliest(queue.parkedSince, since);
    });
    for (const queue of found.queues) fleet.queue(queue);
    const jobs = new Map(JOB_STATUSES.map((status) => [status, found.jobs.get(status) ?? 0]));
    return {
      at: found.at,
      complete: (jobs.get('pending') ?? 0) + (jobs.get('running') ?? 0) <= this.mostJobs,
      queues: fleet.queues,
      pools: new Map(found.pools.map((pool) => [pool.name, fleet.poolOf(pool)])),
      jobs,
    };
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}

async function readAll(client: PoolClient, mostJobs: number): Promise<FoundRows> {
  const steps = (statement: NamedStatement, ...values: unknown[]): Promise<StepsRow[]> =>
    execute<StepsRow>(client, statement, values);
  const [now] = await execute<{ now_us: string }>(client, NOW, []);
  const counts = await execute<{ status: string; jobs: number }>(client, COUNT_JOBS, []);
  return {
    at: Number(now?.now_us),
    jobs: new Map(counts.map(({ status, jobs }) => [status, jobs])),
    pools: await execute<PoolRow>(client, READ_POOLS, []),
    queues: (await execute<{ queue: string }>(client, READ_QUEUES, [])).map(({ queue }) => queue),
    ready: await steps(READY_STEPS, mostJobs),
    running: await steps(RUNNING_STEPS),
    retrying: await steps(RETRYING_STEPS),
    parked: await steps(PARKED_STEPS),
  };
}

const earliest = (a: Micros | null, b: Micros | null): Micros | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);

/** Steps by the queue that their pipeline gives them, and who holds tokens of which pool. */
class FleetTally {
  readonly queues = new Map<string, QueueRows>();
  private readonly holders = new Map<string, PoolState['heldBy'][number][]>();

  constructor(private readonly pipelines: PipelineStore) {}

  queue(name: string): QueueRows {
    const known = this.queues.get(name);
    if (known) return known;
    const made = { ready: 0, readySince: null, parked: 0, parkedSince: null, running: 0, retrying: 0 };
    this.queues.set(name, made);
    return made;
  }

  /** @param count what so many steps of a queue are, the first of them there since then */
  async add(
    rows: readonly StepsRow[],
    count: (queue: QueueRows, counted: { readonly steps: number; readonly since: Micros | null }) => void,
  ): Promise<void> {
    for (const { pipeline_hash, idx, steps, since_us, held_by } of rows) {
      const definition = (await this.pipelines.find(pipeline_hash))?.definition;
      const step = definition?.steps[idx];
      if (!definition || !step) continue;
      count(this.queue(step.queue), { steps, since: since_us === null ? null : Number(since_us) });
      if (held_by === null) continue;
      for (const { pool, count: tokens } of tokensOf(definition.name, step)) {
        const known = this.holders.get(pool) ?? [];
        known.push(...held_by.map((jobId) => ({ jobId, step: step.name, tokens })));
        this.holders.set(pool, known);
      }
    }
  }

  poolOf({ name, used, max }: PoolRow): PoolState {
    const heldBy = [...(this.holders.get(name) ?? [])].sort((a, b) => (a.jobId < b.jobId ? -1 : 1));
    return { available: Math.max(0, max - used), max, heldBy: heldBy.slice(0, MOST_HOLDERS) };
  }
}
