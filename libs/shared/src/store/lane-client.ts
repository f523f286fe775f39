import type { PoolClient } from 'pg';
import type { DataSource, QueryRunner } from 'typeorm';

/**
 * The batch statements are written to go by primary key. The planner knows nothing of an `unnest`, so a plan made while
 * the tables were small would later read them whole; these settings leave it nothing but the keys.
 */
const LANE_SETTINGS =
  'SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; ' +
  'SET enable_mergejoin = off; SET jit = off';

/** A connection of its own for one sequence of statements, made again after every error. */
export class LaneClient {
  private runner: QueryRunner | null = null;
  private client: PoolClient | null = null;

  /** @param settings further ones, each ended by a semicolon */
  constructor(
    private readonly database: DataSource,
    private readonly settings = '',
  ) {}

  /** Runs `work` on the connection. Not for use by two at once. @throws what `work` throws; the connection is then dropped */
  async run<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.client ?? (await this.connect()));
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  /** Gives the connection up. The next `run` makes another. */
  async drop(): Promise<void> {
    const { runner, client } = this;
    this.runner = null;
    this.client = null;
    // Ended first, so that the pool does not hand out a connection with this lane's settings.
    if (client) client.end(() => undefined);
    if (runner) await runner.release().catch(() => undefined);
  }

  private async connect(): Promise<PoolClient> {
    const runner = this.database.createQueryRunner();
    try {
      const client = (await runner.connect()) as PoolClient;
      await client.query(`${LANE_SETTINGS}; ${this.settings}`);
      this.runner = runner;
      this.client = client;
      return client;
    } catch (error) {
      await runner.release().catch(() => undefined);
      throw error;
    }
  }
}
