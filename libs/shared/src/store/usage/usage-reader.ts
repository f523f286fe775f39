import type { DataSource } from 'typeorm';
import type { JobStatus } from '#shared/domain/status';
import type { Usage, UsageFigures, UsageHistory } from '#shared/domain/usage/usage-figures';
import { Sketch } from '#shared/domain/usage/sketch';
import { Paced, type PacedOptions } from '#shared/runtime/paced';
import { READ_JOB_COUNTS } from '#shared/store/usage/job-counts';
import {
  FOLDED,
  mergeRollups,
  ROLLUP_COLUMNS,
  type Rollup,
  rollupOf,
  type RollupRow,
} from '#shared/store/usage/rollup-rows';

/** The minute that it is, and those before it. */
const WINDOW_MINUTES = 60;

const READ_ROLLUPS = `
SELECT ${ROLLUP_COLUMNS}, minute > date_trunc('minute', now()) - ${WINDOW_MINUTES} * interval '1 minute' AS recent
FROM rollups`;

/** A row without a kind when there is nothing in the window. */
const READ_MINUTES = `
SELECT extract(epoch FROM clock.this_minute)::float8 * 1000 AS now_minute_ms, ${ROLLUP_COLUMNS}
FROM (SELECT date_trunc('minute', now()) AS this_minute) clock LEFT JOIN rollups
  ON minute > this_minute - ${WINDOW_MINUTES} * interval '1 minute' AND minute <= this_minute`;

type MinuteRow = { readonly now_minute_ms: number } & (RollupRow | { readonly kind: null });

/** Most dead letters that are counted. */
export const MOST_DEAD_LETTERS = 100_000;
const COUNT_DEAD_LETTERS = `
SELECT count(*)::int AS count FROM (SELECT FROM dead_letters LIMIT ${MOST_DEAD_LETTERS}) kept`;

/** Jobs of one pipeline and status. */
export interface JobCount {
  readonly pipeline: string;
  readonly status: JobStatus;
  /** How many ever came to it: never less than it was. */
  readonly entered: number;
  /** How many are in it now. */
  readonly current: number;
}

/** Reads the figures that are kept in Postgres: every reader has the same. Answers are a second old, or some more. */
export class UsageReader {
  private readonly usage: Paced<Usage>;
  private readonly history: Paced<UsageHistory>;
  private readonly jobCounts: Paced<readonly JobCount[]>;
  private readonly deadLetters: Paced<number>;

  constructor(
    private readonly database: DataSource,
    pace?: PacedOptions,
  ) {
    this.usage = new Paced(() => this.readUsage(), pace);
    this.history = new Paced(() => this.readMinutes(), pace);
    this.jobCounts = new Paced(() => this.database.query<JobCount[]>(READ_JOB_COUNTS), pace);
    this.deadLetters = new Paced(async () => {
      const [row] = await this.database.query<{ count: number }[]>(COUNT_DEAD_LETTERS);
      return row?.count ?? 0;
    }, pace);
  }

  /** What the last hour came to, and all time. Not for the caller to change. */
  read(): Promise<Usage> {
    return this.usage.get();
  }

  /** What each minute of the last hour came to. Not for the caller to change. */
  readHistory(): Promise<UsageHistory> {
    return this.history.get();
  }

  /** Counted when the jobs change, so that no history is read. Those that there never were are left out. */
  readJobCounts(): Promise<readonly JobCount[]> {
    return this.jobCounts.get();
  }

  /** How many dead letters there are, up to 100,000. */
  countDeadLetters(): Promise<number> {
    return this.deadLetters.get();
  }

  private async readUsage(): Promise<Usage> {
    const rows = await this.database.query<(RollupRow & { readonly recent: boolean })[]>(READ_ROLLUPS);
    const figures = (wanted: typeof rows): UsageFigures =>
      figuresOf(mergeRollups(wanted.map((row) => ({ ...rollupOf(row), minuteMs: FOLDED }))));
    return {
      windowSeconds: WINDOW_MINUTES * 60,
      window: figures(rows.filter(({ recent }) => recent)),
      total: figures(rows),
    };
  }

  private async readMinutes(): Promise<UsageHistory> {
    const rows = await this.database.query<MinuteRow[]>(READ_MINUTES);
    const byMinute = new Map<number, Rollup[]>();
    for (const row of rows) {
      if (row.kind === null) continue;
      const rollups = byMinute.get(row.minute_ms) ?? [];
      rollups.push(rollupOf(row));
      byMinute.set(row.minute_ms, rollups);
    }
    return {
      nowMinuteMs: rows[0]?.now_minute_ms ?? 0,
      windowMinutes: WINDOW_MINUTES,
      minutes: new Map([...byMinute].map(([minuteMs, rollups]) => [minuteMs, figuresOf(rollups)])),
    };
  }
}

function figuresOf(rollups: readonly Rollup[]): UsageFigures {
  const latenessSeconds = new Sketch();
  for (const { kind, figure } of rollups) if (kind === 'lateness') latenessSeconds.merge(figure);
  return {
    steps: rollups.flatMap(({ kind, pipeline, name: step, figure: usage }) =>
      kind === 'step' ? [{ pipeline, step, usage }] : [],
    ),
    jobs: rollups.flatMap(({ kind, pipeline, name, figure }) =>
      kind === 'job' ? [{ pipeline, status: name as JobStatus, jobs: figure.jobs, durationMs: figure.durationMs }] : [],
    ),
    waits: rollups.flatMap(({ kind, pipeline, figure: waitMs }) => (kind === 'wait' ? [{ pipeline, waitMs }] : [])),
    latenessSeconds,
  };
}
