import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { Unavailable } from '#shared/domain/errors';
import { withClient } from '#shared/store/database';
import { Slots } from '#shared/store/jobs/job-reader-slots';

export interface BoundedReadsOptions {
  /** Reads at once; the connections beyond are for those who write. Default 4. */
  readonly lists?: number;
  /** A read that takes longer is given up. Default 5 s. */
  readonly listLimitMs?: number;
}

const MAX_WAITING = 100;
const QUERY_CANCELLED = '57014';

/** Reads that may look at many rows: few at once, each ends in time. */
export class BoundedReads {
  private readonly slots: Slots;
  private readonly limitMs: number;

  constructor(
    private readonly database: DataSource,
    { lists = 4, listLimitMs = 5_000 }: BoundedReadsOptions = {},
  ) {
    this.slots = new Slots(lists, MAX_WAITING);
    this.limitMs = listLimitMs;
  }

  /** @throws Unavailable when it takes too long or too many ask at once */
  run<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.slots.use(() => this.readOnly(work));
  }

  private readOnly<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return withClient(this.database, async (client) => {
      try {
        await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${this.limitMs}`);
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => undefined);
        if ((error as { code?: unknown }).code !== QUERY_CANCELLED) throw error;
        throw new Unavailable('The search took too long. Narrow it down, by time or status for instance.', 5);
      }
    });
  }
}
