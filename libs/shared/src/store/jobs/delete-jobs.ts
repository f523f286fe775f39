import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { JobStatus } from '#shared/domain/status';
import { execute } from '#shared/store/database';
import { GroupCommit } from '#shared/store/group-commit';
import {
  DELETE_ALL,
  KEEP_ATTEMPTS,
  LOCK_FREE_TO_DELETE,
  LOCK_THEIR_DEPENDENCIES,
  LOCK_TO_DELETE,
  NEEDED_BY,
} from '#shared/store/jobs/delete-statements';
import { LaneClient } from '#shared/store/lane-client';

/** What became of a job that was to be deleted. */
export type DeleteOutcome =
  | { readonly kind: 'deleted' }
  | { readonly kind: 'missing' }
  /** It has not ended. */
  | { readonly kind: 'live'; readonly status: JobStatus }
  /** Another job, which has not ended, waits for it or for what becomes of it. */
  | { readonly kind: 'needed'; readonly byJobId: string }
  /** Those that need it have not been told how it ended. */
  | { readonly kind: 'untold' };

interface LockedRow {
  readonly id: string;
  readonly status: JobStatus;
  readonly ended: boolean;
  readonly untold: boolean;
}

const MAX_BATCH = 50;

/**
 * The one way in which jobs are deleted: those that have ended and that no other needs, each with all that belongs to it, in
 * one transaction that holds their locks. A retry of such a job, or a new job that is to wait for it, comes before the
 * deletion, which then does not take place, or after it, and then finds no job.
 */
export class DeleteJobs {
  private readonly lane: LaneClient;
  private readonly group: GroupCommit<string, DeleteOutcome>;

  constructor(database: DataSource) {
    this.lane = new LaneClient(database);
    this.group = new GroupCommit<string, DeleteOutcome>({
      commit: async (ids) => {
        const outcomes = await this.deleteAll(ids, 'wait');
        return ids.map((id): DeleteOutcome => outcomes.get(id) ?? { kind: 'missing' });
      },
      keyOf: (id) => id,
      maxBatch: MAX_BATCH,
    });
  }

  /** @throws the database's error: then it is in doubt whether it was deleted */
  delete(id: string): Promise<DeleteOutcome> {
    return this.group.add(id);
  }

  /** Deletes those of the jobs that can be, but for what somebody else is at work on. Not for use by two at once. @returns how many */
  async prune(ids: readonly string[]): Promise<number> {
    const outcomes = await this.deleteAll(ids, 'pass over');
    return [...outcomes.values()].filter(({ kind }) => kind === 'deleted').length;
  }

  async close(): Promise<void> {
    await this.group.idle();
    await this.lane.drop();
  }

  /** What is locked and `passed over`, or not there, has no outcome. */
  private deleteAll(ids: readonly string[], locked: 'wait' | 'pass over'): Promise<Map<string, DeleteOutcome>> {
    return this.lane.run(async (client) => {
      await client.query('BEGIN');
      const statement = locked === 'wait' ? LOCK_TO_DELETE : LOCK_FREE_TO_DELETE;
      const outcomes = await judge(client, await execute<LockedRow>(client, statement, [ids]));
      const doomed = [...outcomes].flatMap(([id, { kind }]) => (kind === 'deleted' ? [id] : []));
      if (doomed.length > 0) {
        for (const each of [KEEP_ATTEMPTS, ...DELETE_ALL]) await execute(client, each, [doomed]);
      }
      await client.query('COMMIT');
      return outcomes;
    });
  }
}

/** @param rows of jobs that this transaction has locked */
async function judge(client: PoolClient, rows: readonly LockedRow[]): Promise<Map<string, DeleteOutcome>> {
  const outcomes = new Map(rows.map((row) => [row.id, outcomeOf(row)] as const));
  const ids = rows.filter(({ ended }) => ended).map(({ id }) => id);
  if (ids.length === 0) return outcomes;
  await execute(client, LOCK_THEIR_DEPENDENCIES, [ids]);
  const needed = await execute<{ id: string; job_id: string }>(client, NEEDED_BY, [ids]);
  for (const { id, job_id } of needed) outcomes.set(id, { kind: 'needed', byJobId: job_id });
  return outcomes;
}

function outcomeOf({ status, ended, untold }: LockedRow): DeleteOutcome {
  if (!ended) return { kind: 'live', status };
  return untold ? { kind: 'untold' } : { kind: 'deleted' };
}
