import type { DataSource } from 'typeorm';
import type { JobStatus } from '#shared/domain/status';
import { execute, type NamedStatement, withClient } from '#shared/store/database';

/** A job whose dependants have not been told how it stands. */
export interface UntoldJob {
  readonly id: string;
  readonly status: JobStatus;
}

/** Before every job. */
export const FIRST_DEPENDANT = '00000000-0000-0000-0000-000000000000';

/** How a job stands, as its dependants are told: ended in one way, or not. */
const stateOf = (status: string): string =>
  `CASE WHEN ${status} IN ('completed','failed','cancelled') THEN ${status} ELSE 'live' END`;

/** What `tellOfDependency` would change: those that know other than is so. */
const KNOWS_OTHER = `NOT settled AND coalesce(outcome, 'live') <> ${stateOf('$2::text')}`;

/** By `jobs_untold`. */
export const UNTOLD: NamedStatement = {
  name: 'untold_jobs',
  text: 'SELECT id, status FROM jobs WHERE untold ORDER BY id LIMIT $1',
};

/** By `dependencies_unsettled`. */
export const TO_TELL: NamedStatement = {
  name: 'dependants_to_tell',
  text: `
SELECT job_id FROM dependencies WHERE needs_job_id = $1 AND job_id > $3::uuid AND ${KNOWS_OTHER}
ORDER BY job_id LIMIT $4`,
};

const LOCK_TOLD: NamedStatement = {
  name: 'lock_told_job',
  text: 'SELECT id FROM jobs WHERE id = $1 AND untold FOR UPDATE SKIP LOCKED',
};

/** A second statement, after the lock: a dependant that was attached before it is seen, a later one waits for the lock. */
export const NOTE_TOLD: NamedStatement = {
  name: 'note_told_job',
  text: `
UPDATE jobs SET told = ${stateOf('status')}
WHERE id = $1 AND ${stateOf('status')} = ${stateOf('$2::text')}
  AND NOT EXISTS (SELECT FROM dependencies WHERE needs_job_id = $1 AND ${KNOWS_OTHER})
RETURNING id`,
};

/** Which jobs' dependants have to be told something, and which have been. */
export class Dependants {
  constructor(private readonly database: DataSource) {}

  untold(limit: number): Promise<UntoldJob[]> {
    return withClient(this.database, (client) => execute<UntoldJob>(client, UNTOLD, [limit]));
  }

  /** Dependants, in the order of their ids, that know other of the job than its status. */
  async toTell({ id, status }: UntoldJob, afterId: string, limit: number): Promise<string[]> {
    const rows = await withClient(this.database, (client) =>
      execute<{ job_id: string }>(client, TO_TELL, [id, status, afterId, limit]),
    );
    return rows.map((row) => row.job_id);
  }

  /** Notes that all dependants know. @returns false when one does not, or the job stands otherwise by now */
  noteTold({ id, status }: UntoldJob): Promise<boolean> {
    return withClient(this.database, async (client) => {
      await client.query('BEGIN');
      const locked = await execute(client, LOCK_TOLD, [id]);
      const noted = locked.length > 0 ? await execute(client, NOTE_TOLD, [id, status]) : [];
      await client.query('COMMIT');
      return noted.length > 0;
    });
  }
}
