import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { guardHolds } from '#shared/runtime/failpoints';
import { withClient } from '#shared/store/database';
import { countAnew, countAttempts, firstAttemptFrom } from '#shared/store/usage/attempt-count';
import { underRollupLock } from '#shared/store/usage/rollup-lock';
import { minuteOf, moveMark, readMarks, type RollupMarks } from '#shared/store/usage/rollup-marks';
import { MINUTE_MS, timeOf } from '#shared/store/usage/rollup-rows';

const LOOK_MS = 1_000;
/** Minutes that are compared at once, after an outage. */
const SPAN_MS = 10 * MINUTE_MS;
const STALE_AT_ONCE = 10;
/** A minute is compared once more: a commit may have been slow, and its telemetry lost with the worker. */
const AGAIN_MS = 5 * MINUTE_MS;

const STALE = `
SELECT extract(epoch FROM minute)::float8 * 1000 AS minute_ms FROM rollup_minutes WHERE stale ORDER BY minute LIMIT $1`;
const NOT_STALE = 'UPDATE rollup_minutes SET stale = false WHERE minute = $1';
/** By the way, minutes in which nothing was said to happen: something may have. */
const COMPARE_AGAIN = `
INSERT INTO rollup_minutes (minute, stale)
SELECT minute, true FROM generate_series($1::timestamptz, $2::timestamptz - interval '1 minute', interval '1 minute') AS minute
ON CONFLICT (minute) DO UPDATE SET stale = true`;
const FED = `
SELECT extract(epoch FROM minute)::float8 * 1000 AS minute_ms, attempts::float8 FROM rollup_minutes
WHERE minute >= $1 AND minute < $2`;
const FIRST_MINUTE =
  'SELECT extract(epoch FROM min(minute))::float8 * 1000 AS first FROM rollup_minutes WHERE minute >= $1';

/** Compares what was sent of attempts with the attempts, and counts anew where they differ. */
export class RollupCompare {
  /** @param compareMs how long after its end a minute is compared: most of what is sent of it has come by then */
  constructor(
    private readonly database: DataSource,
    private readonly compareMs: number,
  ) {}

  /** One short round. @returns in how many milliseconds the next is wanted: 0 while there is more to compare */
  async runOnce(): Promise<number> {
    if (!guardHolds('metrics.compares')) return LOOK_MS;
    const { marks, stale } = await withClient(this.database, async (client) => {
      return { marks: await readMarks(client), stale: await readStale(client) };
    });
    if (stale.length > 0) await underRollupLock(this.database, compareStale);
    if (marks.comparedMs >= this.upTo(marks)) return LOOK_MS;
    return (await underRollupLock(this.database, (client) => this.compareNext(client))) ? 0 : LOOK_MS;
  }

  /** The end of the last minute that is to be compared by now. */
  private upTo({ nowMs }: RollupMarks): number {
    return minuteOf(nowMs - this.compareMs);
  }

  /** The next minutes, up to the first that is wrong: that is counted. @returns whether there are more */
  private async compareNext(client: PoolClient): Promise<boolean> {
    const marks = await readMarks(client);
    const upToMs = this.upTo(marks);
    const fromMs = Math.min(upToMs, await firstMinuteFrom(client, marks.comparedMs));
    const toMs = Math.min(upToMs, fromMs + SPAN_MS);
    const wrongMs = toMs > fromMs ? await firstWrong(client, fromMs, toMs) : null;
    if (wrongMs !== null) await countAnew(client, wrongMs);
    const comparedMs = wrongMs === null ? toMs : wrongMs + MINUTE_MS;
    await moveMark(client, 'compared', comparedMs);
    await compareAgain(client, marks, comparedMs);
    return comparedMs < upToMs;
  }
}

/** Has the minutes that the mark passed a while ago compared once more. */
async function compareAgain(client: PoolClient, marks: RollupMarks, comparedMs: number): Promise<void> {
  const toMs = comparedMs - AGAIN_MS;
  const fromMs = Math.max(marks.foldedMs, marks.comparedMs - AGAIN_MS, toMs - SPAN_MS);
  if (fromMs < toMs) await client.query(COMPARE_AGAIN, [timeOf(fromMs), timeOf(toMs)]);
}

/** Minutes of which more was sent after they had been compared, or that are compared again. At most one is counted anew. */
async function compareStale(client: PoolClient): Promise<void> {
  for (const minuteMs of await readStale(client)) {
    if (await makeRight(client, minuteMs)) return;
    await client.query(NOT_STALE, [timeOf(minuteMs)]);
  }
}

/** Counts a minute anew if it differs from its attempts. Under the lock of roll-ups. @returns whether it did */
export async function makeRight(client: PoolClient, minuteMs: number): Promise<boolean> {
  const isWrong = (await firstWrong(client, minuteMs, minuteMs + MINUTE_MS)) !== null;
  if (isWrong) await countAnew(client, minuteMs);
  return isWrong;
}

/** The first minute of the span whose roll-ups hold another number of attempts than there are; null when all are right. */
async function firstWrong(client: PoolClient, fromMs: number, toMs: number): Promise<number | null> {
  const there = await countAttempts(client, fromMs, toMs);
  const { rows } = await client.query<{ minute_ms: number; attempts: number }>(FED, [timeOf(fromMs), timeOf(toMs)]);
  const fed = new Map(rows.map(({ minute_ms, attempts }) => [minute_ms, attempts]));
  const minutes = [...new Set([...there.keys(), ...fed.keys()])].sort((a, b) => a - b);
  return minutes.find((minute) => (there.get(minute) ?? 0) !== (fed.get(minute) ?? 0)) ?? null;
}

/** The first minute from that one on in which there is anything, or is said to be; Infinity when there is none. */
async function firstMinuteFrom(client: PoolClient, fromMs: number): Promise<number> {
  const { rows } = await client.query<{ first: number | null }>(FIRST_MINUTE, [timeOf(fromMs)]);
  return Math.min(minuteOf(await firstAttemptFrom(client, fromMs)), rows[0]?.first ?? Infinity);
}

async function readStale(client: PoolClient): Promise<number[]> {
  const { rows } = await client.query<{ minute_ms: number }>(STALE, [STALE_AT_ONCE]);
  return rows.map(({ minute_ms }) => minute_ms);
}
