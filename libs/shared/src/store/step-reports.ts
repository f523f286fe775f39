import type { DataSource } from 'typeorm';
import { storableText } from '#shared/domain/json';
import { execute, type NamedStatement, withClient } from '#shared/store/database';

/** How far an attempt is, as its handler said last. */
export interface ProgressReport {
  readonly jobId: string;
  readonly idx: number;
  readonly epoch: number;
  /** 0…100 */
  readonly percent: number;
  readonly message: string | null;
}

/** Lines of one attempt that are kept and shown: the last ones. */
export const MAX_LINES_PER_ATTEMPT = 1_000;

/** A line that a handler logged. */
export interface LogLine {
  readonly jobId: string;
  readonly idx: number;
  readonly attempt: number;
  readonly at: Date;
  readonly level: string;
  readonly message: string;
}

/**
 * Passes over rows that somebody is writing just now: it never waits, so it can neither hold up a settlement nor wait with
 * one in a circle.
 */
const WRITE_PROGRESS: NamedStatement = {
  name: 'write_progress',
  text: `
WITH said AS MATERIALIZED (
  SELECT u.job_id, u.idx, u.percent, u.message
  FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::real[], $5::text[])
    AS u (job_id, idx, epoch, percent, message)
  CROSS JOIN LATERAL (
    SELECT FROM steps WHERE job_id = u.job_id AND idx = u.idx AND steps.epoch = u.epoch AND status = 'running'
    FOR UPDATE SKIP LOCKED
  ) free
)
UPDATE steps SET progress = greatest(steps.progress, said.percent), message = said.message
FROM said WHERE steps.job_id = said.job_id AND steps.idx = said.idx`,
};

const WRITE_LOGS: NamedStatement = {
  name: 'write_logs',
  text: `
INSERT INTO logs (job_id, idx, attempt, at, level, message)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::int[], $4::timestamptz[], $5::text[], $6::text[])`,
};

/** By `logs_pkey`. */
const TRIM_LOGS: NamedStatement = {
  name: 'trim_logs',
  text: `
DELETE FROM logs USING unnest($1::uuid[], $2::smallint[], $3::int[]) AS u (job_id, idx, attempt)
WHERE logs.job_id = u.job_id AND logs.idx = u.idx AND logs.attempt = u.attempt AND logs.id < (
  SELECT id FROM logs l WHERE l.job_id = u.job_id AND l.idx = u.idx AND l.attempt = u.attempt
  ORDER BY id DESC OFFSET ${MAX_LINES_PER_ATTEMPT - 1} LIMIT 1)`,
};

/** Keeps what handlers report while they run. Nothing decides anything by it. */
export class StepReports {
  constructor(private readonly database: DataSource) {}

  async writeProgress(reports: readonly ProgressReport[]): Promise<void> {
    if (reports.length === 0) return;
    await this.execute(WRITE_PROGRESS, [
      reports.map((report) => report.jobId),
      reports.map((report) => report.idx),
      reports.map((report) => report.epoch),
      reports.map((report) => report.percent),
      reports.map((report) => (report.message === null ? null : storableText(report.message))),
    ]);
  }

  async writeLogs(lines: readonly LogLine[]): Promise<void> {
    if (lines.length === 0) return;
    await this.execute(WRITE_LOGS, [
      lines.map((line) => line.jobId),
      lines.map((line) => line.idx),
      lines.map((line) => line.attempt),
      lines.map((line) => line.at),
      lines.map((line) => line.level),
      lines.map((line) => storableText(line.message)),
    ]);
  }

  /** Drops all but the last lines of these attempts. */
  async trimLogs(attempts: readonly Pick<LogLine, 'jobId' | 'idx' | 'attempt'>[]): Promise<void> {
    if (attempts.length === 0) return;
    await this.execute(TRIM_LOGS, [
      attempts.map(({ jobId }) => jobId),
      attempts.map(({ idx }) => idx),
      attempts.map(({ attempt }) => attempt),
    ]);
  }

  private execute(statement: NamedStatement, values: unknown[]): Promise<unknown[]> {
    return withClient(this.database, (client) => execute(client, statement, values));
  }
}
