import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { ScheduleJob } from '#shared/contracts/schedule';
import { storableJsonText } from '#shared/domain/json';
import type { NewJob } from '#shared/domain/new-job';
import { MOST_QUEUED } from '#shared/domain/schedule/overlap';
import type { DueSchedule } from '#shared/domain/schedule/tick';
import { failpoint } from '#shared/runtime/failpoints';
import { execute, type NamedStatement } from '#shared/store/database';
import { insertJobs, type SubmitOutcome } from '#shared/store/jobs/insert-jobs';
import { LaneClient } from '#shared/store/lane-client';
import {
  ADVANCE,
  CLAIM_DUE,
  type ClaimedRow,
  type FactsRow,
  INSERT_RUNS,
  NEXT_DUE,
  PRUNE_RUNS,
  PUT_OFF,
  READ_FACTS,
} from '#shared/store/schedules/tick-statements';

/** A schedule whose next time has come, locked. */
export interface ClaimedSchedule extends DueSchedule {
  readonly id: string;
  readonly cron: string;
  readonly timezone: string;
  readonly job: ScheduleJob;
  /** Of the job, as text. */
  readonly jobBytes: number;
  /** The newest of its jobs that have not ended; only while so many may wait for one another. */
  readonly newestLive: string | null;
}

/** Why a run could not be made. */
export interface RunError {
  readonly message: string;
  readonly dueMs: number;
}

export interface ScheduleRun {
  readonly dueMs: number;
  readonly outcome: 'made' | 'skipped' | 'failed';
  /** Of a run that is made. It may depend on the job of a run before it. */
  readonly job: NewJob | null;
}

/** What is to be written of a claimed schedule. */
export interface ScheduleStep {
  readonly id: string;
  readonly nextMs: number | null;
  readonly runs: readonly ScheduleRun[];
  readonly missed: number;
  readonly error: RunError | null;
}

export interface MadeJob {
  readonly job: NewJob;
  readonly outcome: Extract<SubmitOutcome, { kind: 'created' }>;
}

/** What one round has committed. */
export interface TickResult {
  readonly claimed: number;
  readonly made: readonly MadeJob[];
}

const BEGIN: NamedStatement = { name: 'begin', text: 'BEGIN' };
const COMMIT: NamedStatement = { name: 'commit', text: 'COMMIT' };
/** Runs that are kept of each schedule; a tenth more is tolerated. */
const RUNS_KEPT = 1_000;
/** Of jobs that are read, or written, at once: a schedule's may have a megabyte. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Recurring schedules and the moment they are due, by the database's clock. A round is one transaction: what it has
 * claimed, the jobs, the record of the runs and the next due times are committed together or not at all.
 */
export class ScheduleTicks {
  private readonly lane: LaneClient;

  constructor(database: DataSource) {
    this.lane = new LaneClient(database);
  }

  /**
   * Claims at most `limit` schedules that are due, the longest due first, fewer when their jobs are large, and writes what
   * `decide` makes of them; those that it leaves out stay due.
   * @throws what `decide` throws, or the database's error: nothing has changed then, or the commit is in doubt
   */
  run(limit: number, decide: (claimed: ClaimedSchedule[]) => Promise<ScheduleStep[]>): Promise<TickResult> {
    return this.lane.run(async (client) => {
      await execute(client, BEGIN, []);
      const claimed = await claim(client, limit);
      const made = claimed.length > 0 ? await write(client, await decide(claimed)) : [];
      if (made.length > 0) failpoint('scheduler.runs_inserted');
      await execute(client, COMMIT, []);
      return { claimed: claimed.length, made };
    });
  }

  /** In how many milliseconds the next one is due; null when there is none. */
  async nextInMs(): Promise<number | null> {
    const rows = await this.lane.run((client) => execute<{ in_ms: number | null }>(client, NEXT_DUE, []));
    return rows[0]?.in_ms ?? null;
  }

  /** Says why the schedule could not be handled, and when to try again. */
  async putOff(id: string, error: RunError, untilMs: number): Promise<void> {
    await this.lane.run((client) => execute(client, PUT_OFF, [id, errorText(error), untilMs]));
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}

async function claim(client: PoolClient, limit: number): Promise<ClaimedSchedule[]> {
  const rows = await execute<ClaimedRow>(client, CLAIM_DUE, [limit, MOST_BYTES]);
  if (rows.length === 0) return [];
  const values = [rows.map(({ id }) => id), rows.map(({ next_ms }) => next_ms), MOST_QUEUED + 1];
  const facts = new Map((await execute<FactsRow>(client, READ_FACTS, values)).map((row) => [row.id, row]));
  return rows.map(({ id, cron, timezone, job, overlap, catch_up, next_ms, now_ms, bytes }) => {
    const { live = 0, newest = null, taken = [] } = facts.get(id) ?? {};
    return {
      ...{ id, cron, timezone, job, jobBytes: bytes, overlap, catchUp: catch_up, nextMs: next_ms, nowMs: now_ms },
      ...{ live, newestLive: newest, taken },
    };
  });
}

async function write(client: PoolClient, steps: readonly ScheduleStep[]): Promise<MadeJob[]> {
  const made = await insertAll(
    client,
    steps.flatMap(({ runs }) => runs.flatMap(({ job }) => job ?? [])),
  );
  const runs = steps.flatMap(({ id, runs: all }) => all.map((run) => ({ id, ...run })));
  if (runs.length > 0) {
    await execute(client, INSERT_RUNS, [
      runs.map(({ id }) => id),
      runs.map(({ dueMs }) => dueMs),
      runs.map(({ outcome }) => outcome),
      runs.map(({ job }) => job?.id ?? null),
    ]);
  }
  const advanced = await execute<{ id: string; runs_kept: number }>(client, ADVANCE, advanceColumns(steps));
  const full = advanced.filter(({ runs_kept }) => runs_kept > RUNS_KEPT * 1.1).map(({ id }) => id);
  if (full.length > 0) await execute(client, PRUNE_RUNS, [full, RUNS_KEPT, RUNS_KEPT - 1]);
  return made;
}

/** Those that depend on others of them after these. */
async function insertAll(client: PoolClient, jobs: readonly NewJob[]): Promise<MadeJob[]> {
  const made: MadeJob[] = [];
  let left = jobs;
  while (left.length > 0) {
    const later = new Set(left.map(({ id }) => id));
    const wave = left.filter(({ dependsOn }) => !dependsOn.some((id) => later.has(id)));
    for (const part of partsOf(wave)) made.push(...(await insertWave(client, part)));
    const inserted = new Set(wave);
    left = left.filter((job) => !inserted.has(job));
  }
  return made;
}

/** In their order, parts of some megabytes each. */
function* partsOf(jobs: readonly NewJob[]): Generator<readonly NewJob[]> {
  let part: NewJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (bytes >= MOST_BYTES) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(job);
    bytes += bytesOf(job);
  }
  if (part.length > 0) yield part;
}

/** The jobs of a schedule have their input in common. */
const inputBytes = new WeakMap<object, number>();

function bytesOf({ input, options }: NewJob): number {
  const known = inputBytes.get(input) ?? JSON.stringify([input, options]).length;
  inputBytes.set(input, known);
  return known;
}

async function insertWave(client: PoolClient, jobs: readonly NewJob[]): Promise<MadeJob[]> {
  const outcomes = await insertJobs(client, jobs);
  // The job that it was to wait for has ended and been deleted since it was looked up: there is none to wait for.
  const free = jobs.filter(({ id }) => outcomes.get(id)?.kind === 'unknown_dependencies');
  const again = free.map((job) => ({ ...job, dependsOn: [] }));
  const others = free.length > 0 ? await insertJobs(client, again) : outcomes;
  const now = new Map(again.map((job) => [job.id, job]));
  return jobs.map((job) => {
    const outcome = (now.has(job.id) ? others : outcomes).get(job.id);
    if (outcome?.kind !== 'created') throw new Error(`job ${job.id} of a schedule was not stored`);
    return { job: now.get(job.id) ?? job, outcome };
  });
}

function advanceColumns(steps: readonly ScheduleStep[]): unknown[] {
  const skipped = steps.map(({ runs }) => runs.filter(({ outcome }) => outcome === 'skipped'));
  return [
    steps.map(({ id }) => id),
    steps.map(({ nextMs }) => nextMs),
    skipped.map((runs) => runs.length),
    skipped.map((runs) => runs.at(-1)?.dueMs ?? null),
    steps.map(({ missed }) => missed),
    steps.map(({ error }) => error && errorText(error)),
    steps.map(({ runs }) => runs.length),
  ];
}

const errorText = ({ message, dueMs }: RunError): string =>
  storableJsonText({ message, due_at: new Date(dueMs).toISOString() });
