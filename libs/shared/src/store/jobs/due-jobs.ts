import type { DataSource } from 'typeorm';
import type { WorkData } from '#shared/contracts/work-message';
import type { Priority } from '#shared/domain/status';
import type { StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';
import { execute, type NamedStatement } from '#shared/store/database';
import { micros, timestamp } from '#shared/store/jobs/draft-statements';
import { LaneClient } from '#shared/store/lane-client';

/** A held job whose time has come: its roots need messages, or it waits for other jobs. */
export interface ReleasedJob {
  readonly id: string;
  readonly run: number;
  readonly status: 'pending' | 'waiting';
  readonly pipelineHash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly opened: StepSet;
  readonly releasedAt: Micros;
  /** When it should have been released. */
  readonly dueAt: Micros;
  /** Left out when it is large: a batch of those would not fit into memory. Whoever runs the job reads it. */
  readonly data: WorkData | undefined;
}

/** What a look at the held jobs has released, and what is left of them. */
export interface DueLook {
  readonly jobs: ReleasedJob[];
  /** The database's time of the look: up to which it has released. */
  readonly now: Micros;
  /** When the first of those is due that were not yet; null when there is none. */
  readonly next: Micros | null;
  /** It took as many as it might: there may be more that are due. */
  readonly isFull: boolean;
  /** Others are due that somebody else had locked. */
  readonly isBlocked: boolean;
}

type ReleasedRow = Omit<WorkData, 'outputs'> & {
  readonly is_small: boolean;
  readonly id: string;
  readonly pipeline_hash: string;
  readonly priority: Priority;
  readonly version: number;
  readonly run: number;
  readonly status: 'pending' | 'waiting';
  readonly open: string;
  readonly released_us: string;
  readonly due_us: string;
};

interface LookRow {
  readonly now_us: string;
  readonly next_us: string | null;
  readonly taken: number;
  readonly is_blocked: boolean | null;
}

/**
 * As it is stored, compressed perhaps. The statement holds its locks until all is sent: what is sent has to fit into the
 * buffers on the way, or a scheduler that stands still keeps its whole batch from the others.
 */
const IS_SMALL = 'pg_column_size(input) + pg_column_size(options) <= 2000';

const IS_DUE = `due_at >= ${timestamp('$2::bigint')} AND due_at <= now()`;

/**
 * By `jobs_due`. Several schedulers share the work: each takes what no other has locked. Nothing before its time. What is
 * left is told by the same snapshot, which knows nothing yet of what is released: the next is the first that was not due.
 * One row says it when nothing is released.
 */
export const RELEASE_DUE: NamedStatement = {
  name: 'release_due_jobs',
  text: `
WITH due AS MATERIALIZED (
  SELECT id, due_at FROM jobs WHERE ${IS_DUE} AND due_at IS NOT NULL
  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
), released AS (
  UPDATE jobs SET
    due_at = NULL, version = version + 1,
    status = CASE WHEN needs_jobs = 0 THEN 'pending' ELSE 'waiting' END,
    open = CASE WHEN needs_jobs = 0 THEN roots ELSE 0 END,
    dispatched_at = CASE WHEN needs_jobs = 0 THEN now() END,
    queued_at = CASE WHEN needs_jobs = 0 THEN now() END
  FROM due WHERE jobs.id = due.id AND status = 'scheduled'
  RETURNING jobs.id, run, pipeline_hash, priority, version, status, open, ${micros('now()')} AS released_us,
            ${micros('due.due_at')} AS due_us, source, source_type, branch, commit, ${IS_SMALL} AS is_small,
            CASE WHEN ${IS_SMALL} THEN input END AS input, CASE WHEN ${IS_SMALL} THEN options END AS options
), taken AS MATERIALIZED (
  SELECT count(*)::int AS taken FROM due
)
SELECT ${micros('now()')} AS now_us, taken,
       (SELECT ${micros('due_at')} FROM jobs WHERE due_at > now() AND due_at IS NOT NULL ORDER BY due_at LIMIT 1) AS next_us,
       CASE WHEN taken < $1 THEN taken < (
         SELECT count(*) FROM (
           SELECT FROM jobs WHERE ${IS_DUE} AND due_at IS NOT NULL ORDER BY due_at LIMIT $1
         ) AS all_due
       ) END AS is_blocked,
       released.*
FROM taken LEFT JOIN released ON true`,
};

/** For tests that show what it would do without the due time, or by the clock of whoever asks. */
const RELEASE_ANY: NamedStatement = {
  name: 'release_any_jobs',
  text: RELEASE_DUE.text.replace(`${IS_DUE} AND`, ''),
};
const RELEASE_BY_OWN_CLOCK: NamedStatement = {
  name: 'release_jobs_by_own_clock',
  text: RELEASE_DUE.text.replace(IS_DUE, `due_at <= ${timestamp('$3::bigint')}`),
};

function releaseStatement(): [NamedStatement, ...unknown[]] {
  if (!guardHolds('scheduler.waits_for_due')) return [RELEASE_ANY];
  if (!guardHolds('scheduler.database_time')) return [RELEASE_BY_OWN_CLOCK, Date.now() * 1_000];
  return [RELEASE_DUE];
}

/**
 * Other indexes hold the same jobs in another order. While there are few, the planner would as soon read one of those
 * and sort, and go on so when there are a million: each look asks for an order that only `jobs_due` has.
 */
export const DUE_SETTINGS = 'SET enable_sort = off;';

/** How far back a look goes behind the last that left nothing: jobs show up late when their commit takes time. */
const MARGIN: Micros = 1_000_000;
const BEGINNING: Micros = 0;

export interface DueJobsOptions {
  /**
   * Whether looks pass over what lies before the last that left nothing. Postgres keeps what was released in the index as
   * long as any transaction might see it, hours perhaps: without this every look goes through all that again.
   */
  readonly remembers: boolean;
}

/** Held jobs and the moment they are due, by the database's clock. Not for use by two at once. */
export class DueJobs {
  private readonly lane: LaneClient;
  private from = BEGINNING;

  constructor(
    database: DataSource,
    private readonly options: DueJobsOptions = { remembers: false },
  ) {
    this.lane = new LaneClient(database, DUE_SETTINGS);
  }

  /** Releases at most `limit` jobs that are due, the longest due first. (The release statement of the turn protocol.) */
  async release(limit: number): Promise<DueLook> {
    const [statement, ...values] = releaseStatement();
    const rows = await this.lane.run((client) =>
      execute<LookRow & (ReleasedRow | { readonly id: null })>(client, statement, [limit, this.from, ...values]),
    );
    const [first] = rows;
    if (!first) throw new Error('the look at what is due has no row');
    const look: DueLook = {
      jobs: rows.flatMap((row) => (row.id === null ? [] : [jobOf(row)])),
      now: Number(first.now_us),
      next: first.next_us === null ? null : Number(first.next_us),
      isFull: first.taken === limit,
      isBlocked: first.is_blocked === true,
    };
    if (this.options.remembers) this.from = nextFrom(look, this.from);
    return look;
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}

/** Where the next look begins. The database's clock may have been set back: then at the beginning. */
function nextFrom({ jobs, now, isFull, isBlocked }: DueLook, from: Micros): Micros {
  if (now < from) return BEGINNING;
  if (isFull) return jobs.reduce((latest, { dueAt }) => Math.max(latest, dueAt), from);
  return isBlocked ? from : now - MARGIN;
}

function jobOf(row: LookRow & ReleasedRow): ReleasedJob {
  return {
    ...{ id: row.id, run: row.run, status: row.status },
    pipelineHash: row.pipeline_hash,
    priority: row.priority,
    version: row.version,
    opened: BigInt(row.open),
    releasedAt: Number(row.released_us),
    dueAt: Number(row.due_us),
    data: row.is_small ? dataOf(row) : undefined,
  };
}

const dataOf = ({ source, source_type, branch, commit, input, options }: ReleasedRow): WorkData => ({
  ...{ source, source_type, branch, commit, input, options },
  outputs: {},
});
