import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { withClient } from '#shared/store/database';
import { firstAttemptFrom } from '#shared/store/usage/attempt-count';
import { makeRight } from '#shared/store/usage/rollup-compare';
import { underRollupLock } from '#shared/store/usage/rollup-lock';
import { minuteOf, moveMark, readMarks, type RollupMarks } from '#shared/store/usage/rollup-marks';
import {
  addRollups,
  FOLDED,
  MINUTE_MS,
  ROLLUP_COLUMNS,
  rollupOf,
  type RollupRow,
  timeOf,
} from '#shared/store/usage/rollup-rows';

/** The window that figures are given for, and some more for what comes late. */
const KEPT_MS = 3_600_000 + 10 * MINUTE_MS;
const LOOK_MS = 10_000;
/** After Postgres was away, workers record what they have held for it: until then no minute is closed for ever. */
const STEADY_MS = 60_000;

const FIRST_ROLLUP = `
SELECT extract(epoch FROM min(minute))::float8 * 1000 AS first FROM rollups WHERE minute >= $1`;
const TAKE_ROLLUPS = `DELETE FROM rollups WHERE minute = $1 RETURNING ${ROLLUP_COLUMNS}`;
const FORGET_MINUTE = 'DELETE FROM rollup_minutes WHERE minute <= $1';
const FORGET_DELETED = 'DELETE FROM deleted_attempts WHERE finished_at < $1';

/** Makes one roll-up of all minutes that nobody asks for one by one any more. */
export class RollupFold {
  private steadySinceMs: number | null = null;

  /** @param steadyMs how long it has to reach Postgres before it folds */
  constructor(
    private readonly database: DataSource,
    private readonly steadyMs = STEADY_MS,
  ) {}

  /** Folds one minute. @returns in how many milliseconds the next is wanted: 0 while there is more to fold */
  async runOnce(): Promise<number> {
    try {
      const marks = await withClient(this.database, readMarks);
      this.steadySinceMs ??= performance.now();
      if (marks.foldedMs >= upTo(marks) || performance.now() - this.steadySinceMs < this.steadyMs) return LOOK_MS;
      return (await underRollupLock(this.database, foldNext)) ? 0 : LOOK_MS;
    } catch (error) {
      this.steadySinceMs = null;
      throw error;
    }
  }
}

/** What was not compared is not folded. */
const upTo = ({ nowMs, comparedMs }: RollupMarks): number => Math.min(minuteOf(nowMs - KEPT_MS), comparedMs);

/** @returns whether there may be more */
async function foldNext(client: PoolClient): Promise<boolean> {
  const marks = await readMarks(client);
  const upToMs = upTo(marks);
  if (marks.foldedMs >= upToMs) return false;
  const minuteMs = await firstMinuteFrom(client, marks.foldedMs);
  const foldedMs = Math.min(upToMs, minuteMs + MINUTE_MS);
  if (minuteMs < upToMs) await foldMinute(client, minuteMs);
  await moveMark(client, 'folded', foldedMs);
  await client.query(FORGET_DELETED, [timeOf(foldedMs)]);
  return foldedMs < upToMs;
}

async function foldMinute(client: PoolClient, minuteMs: number): Promise<void> {
  await makeRight(client, minuteMs);
  const { rows } = await client.query<RollupRow>(TAKE_ROLLUPS, [timeOf(minuteMs)]);
  await addRollups(
    client,
    rows.map((row) => ({ ...rollupOf(row), minuteMs: FOLDED })),
  );
  await client.query(FORGET_MINUTE, [timeOf(minuteMs)]);
}

async function firstMinuteFrom(client: PoolClient, fromMs: number): Promise<number> {
  const { rows } = await client.query<{ first: number | null }>(FIRST_ROLLUP, [timeOf(fromMs)]);
  return Math.min(minuteOf(await firstAttemptFrom(client, fromMs)), rows[0]?.first ?? Infinity);
}
