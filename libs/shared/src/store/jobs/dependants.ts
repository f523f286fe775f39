import type { DataSource } from 'typeorm';
import type { JobStatus } from '#shared/domain/status';
import { execute, type NamedStatement } from '#shared/store/database';
import { LaneClient } from '#shared/store/lane-client';

/** A job whose dependants have not been told how it stands. */
export interface UntoldJob {
  readonly id: string;
  readonly status: JobStatus;
}

/** A dependant that knows other of a job than how it stands. */
export interface ToTell {
  readonly jobId: string;
  readonly neededId: string;
}

/** How a job stands, as its dependants are told: ended in one way, or not. */
const stateOf = (status: string): string =>
  `CASE WHEN ${status} IN ('completed','failed','cancelled') THEN ${status} ELSE 'live' END`;

/** What `tellOfDependency` would change. */
const knowsOther = (needed: string, status: string): string =>
  `needs_job_id = ${needed} AND NOT settled AND coalesce(outcome, 'live') <> ${stateOf(status)}`;

/** By `jobs_untold`. */
export const UNTOLD: NamedStatement = {
  name: 'untold_jobs',
  text: 'SELECT id, status FROM jobs WHERE untold ORDER BY id LIMIT $1',
};

/** By `dependencies_unsettled`. */
export const TO_TELL: NamedStatement = {
  name: 'dependants_to_tell',
  text: `
SELECT d.job_id, u.id AS needed_id FROM unnest($1::uuid[], $2::text[]) AS u (id, status)
CROSS JOIN LATERAL (
  SELECT job_id FROM dependencies WHERE ${knowsOther('u.id', 'u.status')} ORDER BY job_id LIMIT $3
) d
LIMIT $3`,
};

const LOCK_TOLD: NamedStatement = {
  name: 'lock_told_jobs',
  text: 'SELECT id FROM jobs WHERE id = ANY ($1::uuid[]) AND untold ORDER BY id FOR UPDATE SKIP LOCKED',
};

/** A second statement, after the locks: a dependant that was attached before them is seen, a later one waits for the lock. */
export const NOTE_TOLD: NamedStatement = {
  name: 'note_told_jobs',
  text: `
UPDATE jobs SET told = ${stateOf('jobs.status')}
FROM unnest($1::uuid[], $2::text[]) AS u (id, status)
WHERE jobs.id = u.id AND ${stateOf('jobs.status')} = ${stateOf('u.status')}
  AND NOT EXISTS (SELECT FROM dependencies WHERE ${knowsOther('u.id', 'u.status')})
RETURNING jobs.id`,
};

/** Which jobs' dependants have to be told something, and which have been. */
export class Dependants {
  private readonly lane: LaneClient;

  constructor(database: DataSource) {
    this.lane = new LaneClient(database);
  }

  untold(limit: number): Promise<UntoldJob[]> {
    return this.lane.run((client) => execute<UntoldJob>(client, UNTOLD, [limit]));
  }

  /** At most `limit` dependants that know other of one of the jobs than its status. */
  async toTell(jobs: readonly UntoldJob[], limit: number): Promise<ToTell[]> {
    const values = [...columnsOf(jobs), limit];
    const rows = await this.lane.run((client) =>
      execute<{ job_id: string; needed_id: string }>(client, TO_TELL, values),
    );
    return rows.map(({ job_id, needed_id }) => ({ jobId: job_id, neededId: needed_id }));
  }

  /**
   * Notes of those jobs that all their dependants know: not of one that somebody else has locked, has a dependant that does
   * not know, or stands otherwise by now. @returns how many
   */
  noteTold(jobs: readonly UntoldJob[]): Promise<number> {
    return this.lane.run(async (client) => {
      await client.query('BEGIN');
      const rows = await execute<{ id: string }>(client, LOCK_TOLD, [jobs.map(({ id }) => id)]);
      const locked = new Set(rows.map(({ id }) => id));
      const mine = jobs.filter(({ id }) => locked.has(id));
      const noted = mine.length > 0 ? await execute(client, NOTE_TOLD, columnsOf(mine)) : [];
      await client.query('COMMIT');
      return noted.length;
    });
  }

  close(): Promise<void> {
    return this.lane.drop();
  }
}

const columnsOf = (jobs: readonly UntoldJob[]): unknown[] => [
  jobs.map(({ id }) => id),
  jobs.map(({ status }) => status),
];
