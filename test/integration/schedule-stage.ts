import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { type ScheduleRequest, scheduleRequest, type ScheduleView } from '#shared/contracts/schedule';
import { stepsIn } from '#shared/domain/step-set';
import { createLogger } from '#shared/runtime/logger';
import { loadPipelineFile } from '#shared/runtime/pipeline-file';
import { type Database, openDatabase } from '#shared/store/database';
import { JobPlans } from '#shared/store/jobs/job-plans';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { Schedules } from '#shared/store/schedules/schedules';
import { ScheduleTicks } from '#shared/store/schedules/schedule-ticks';
import { uuidv7 } from 'uuidv7';
import { CronTicker, type CronTickerDeps } from '../../apps/scheduler/src/cron-ticker';
import { RunMaker } from '../../apps/scheduler/src/due-runs';
import type { HandedOut } from '../../apps/scheduler/src/lateness';
import type { Dispatch } from '../../apps/scheduler/src/turn-dispatch';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

const PIPELINES = `
pipelines:
  nightly:
    steps: [{ name: a, uses: noop }, { name: b, uses: noop }, { name: c, uses: noop, needs: [] }]
`;

/** A job that a schedule has made, as its row tells. */
export interface MadeRow extends Record<string, unknown> {
  readonly id: string;
  readonly status: string;
  readonly eta: Date;
  readonly queued_at: Date | null;
  readonly depends_on: string[] | null;
  readonly on_dependency_failure: string | null;
}

/** A ticker of its own process: what it told the bus, and what it logged. */
export interface TickerStage {
  readonly ticker: CronTicker;
  readonly ticks: ScheduleTicks;
  readonly sent: Dispatch[];
  readonly told: string[];
  readonly late: HandedOut[];
  readonly logged: string[];
}

/**
 * Schedules on a real database whose time is what a spec says: `now()` of its statements reads a table. The clock of
 * this process is months away from it, and nothing may notice.
 */
export class ScheduleStage {
  private readonly tickers: TickerStage[] = [];

  private constructor(
    readonly server: TestDatabase,
    readonly database: Database,
    readonly schedules: Schedules,
    private readonly folder: string,
  ) {}

  static async open(): Promise<ScheduleStage> {
    const server = await createTestDatabase();
    await server.query('CREATE SCHEMA clock');
    await server.query('CREATE TABLE clock.hands (at timestamptz NOT NULL)');
    await server.query('INSERT INTO clock.hands VALUES (pg_catalog.now())');
    await server.query(
      `CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM clock.hands'`,
    );
    await server.query(`ALTER DATABASE ${server.name} SET search_path = clock, pg_catalog, public`);
    const database = await openDatabase({ url: server.url, applicationName: 'schedule-spec', poolSize: 12 });
    const folder = await mkdtemp(join(tmpdir(), 'sluice-schedule-spec-'));
    await writeFile(join(folder, 'pipelines.yml'), PIPELINES);
    return new ScheduleStage(server, database, new Schedules(database), folder);
  }

  async setNow(iso: string): Promise<void> {
    await this.server.query('UPDATE clock.hands SET at = $1', [iso]);
  }

  /** A schedule, every minute when nothing else is said, as POST would make it now. */
  make(request: Record<string, unknown> = {}): Promise<ScheduleView> {
    const body: ScheduleRequest = scheduleRequest.parse({
      cron: '* * * * *',
      job: { pipeline: 'nightly' },
      ...request,
    });
    return this.schedules.create(uuidv7(), body);
  }

  async ticker(dispatch: Partial<CronTickerDeps['dispatch']> = {}): Promise<TickerStage> {
    const catalog = await loadPipelineFile(join(this.folder, 'pipelines.yml'), HANDLER_CATALOG);
    const logged: string[] = [];
    const sent: Dispatch[] = [];
    const told: string[] = [];
    const late: HandedOut[] = [];
    const out = { write: (line: string): void => void logged.push(line) };
    const log = createLogger({ service: 'scheduler', level: 'debug', form: 'json', out });
    const ticks = new ScheduleTicks(this.database);
    const pipelines = new PipelineStore(this.database);
    const runs = new RunMaker(new JobPlans(catalog, pipelines), HANDLER_CATALOG);
    const ticker = new CronTicker({
      ...{ ticks, runs, pipelines, log },
      lateness: { observe: (each) => void late.push(each) },
      dispatch: {
        send: async (turn) => {
          sent.push(turn);
          return stepsIn(turn.steps).length;
        },
        tell: (turn, _version, status, event) => void told.push(`${turn.jobId} ${event} ${status}`),
        ...dispatch,
        get isConnected() {
          return dispatch.isConnected ?? true;
        },
      },
    });
    const stage = { ticker, ticks, sent, told, late, logged };
    this.tickers.push(stage);
    return stage;
  }

  /** The jobs of a schedule, as they were due. */
  jobs({ id }: ScheduleView): Promise<MadeRow[]> {
    return this.server.query<MadeRow>(
      `SELECT id, status, eta, queued_at, depends_on, on_dependency_failure FROM jobs
       WHERE schedule_id = $1 ORDER BY eta, id`,
      [id],
    );
  }

  /** When its jobs were due, like `12:03:00`. */
  async due(schedule: ScheduleView): Promise<string[]> {
    return (await this.jobs(schedule)).map(({ eta }) => eta.toISOString().slice(11, 19));
  }

  async end(schedule: ScheduleView): Promise<void> {
    await this.server.query(
      `UPDATE jobs SET status = 'completed', completed_at = now(), open = 0, done = all_steps WHERE schedule_id = $1`,
      [schedule.id],
    );
  }

  async runs({ id }: ScheduleView): Promise<string[]> {
    const rows = await this.server.query<{ at: string; outcome: string }>(
      `SELECT to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI') AS at, outcome FROM schedule_runs
       WHERE schedule_id = $1 ORDER BY due_at`,
      [id],
    );
    return rows.map(({ at, outcome }) => `${at} ${outcome}`);
  }

  /** No schedule of an earlier test is due any more. */
  async clear(): Promise<void> {
    await this.server.query('DELETE FROM schedules');
  }

  async close(): Promise<void> {
    for (const { ticks } of this.tickers) await ticks.close();
    await this.database.destroy();
    await this.server.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
