import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { TelemetryBatch } from '#shared/contracts/telemetry';
import { Sketch } from '#shared/domain/usage/sketch';
import { StepUsage } from '#shared/domain/usage/step-usage';
import { storableText } from '#shared/domain/json';
import { KnownSteps } from '#shared/store/usage/known-steps';
import { underRollupLock } from '#shared/store/usage/rollup-lock';
import { minuteOf, readMarks, type RollupMarks } from '#shared/store/usage/rollup-marks';
import { addRollups, MINUTE_MS, type Rollup, timeOf } from '#shared/store/usage/rollup-rows';

/** What became of batches. */
export interface TelemetryAdded {
  readonly added: number;
  /** Added before. */
  readonly repeated: number;
}

/** The stream keeps a batch for seven days; what is gone from it does not come again. */
const REMEMBERED_DAYS = 8;
const FORGET_AT_ONCE = 1_000;
/** A worker keeps the database's time; what claims to be of later is left to the comparison. */
const AHEAD_MS = 2 * MINUTE_MS;

type StepRollup = Rollup & { readonly kind: 'step' };

const REMEMBER = `
INSERT INTO telemetry_batches (id) SELECT DISTINCT unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING id`;

const COUNTED = `
UPDATE rollup_minutes SET stale = true WHERE minute = ANY ($1::timestamptz[]) AND state = 'counted'
RETURNING extract(epoch FROM minute)::float8 * 1000 AS minute_ms`;

/** What comes after its minute was compared has it compared again. */
const FEED_MINUTES = `
INSERT INTO rollup_minutes (minute, attempts, stale)
SELECT minute, attempts, minute < $3 FROM unnest($1::timestamptz[], $2::bigint[]) AS sent (minute, attempts)
ON CONFLICT (minute) DO UPDATE SET attempts = rollup_minutes.attempts + excluded.attempts,
                                   stale = rollup_minutes.stale OR excluded.stale`;

const FORGET = `
DELETE FROM telemetry_batches WHERE id = ANY (ARRAY(
  SELECT id FROM telemetry_batches WHERE added_at < now() - $1 * interval '1 day' ORDER BY added_at LIMIT $2))`;

/** Adds what services have counted to the roll-ups. */
export class TelemetryWrites {
  private readonly known = new KnownSteps();

  constructor(private readonly database: DataSource) {}

  /**
   * Adds all of it or nothing; once it resolves, it may come again without harm. Of a minute that was counted from the
   * attempts nothing is added: it may hold them already, and is counted again. Of one that was folded neither: by then
   * what Postgres has of it was counted, and what comes so late was late for the stream, not for Postgres. What is said of
   * steps that no pipeline has is dropped.
   */
  async add(batches: readonly TelemetryBatch[]): Promise<TelemetryAdded> {
    if (batches.length === 0) return { added: 0, repeated: 0 };
    return underRollupLock(this.database, async (client) => {
      const fresh = await freshOf(client, batches);
      if (fresh.length > 0) {
        const marks = await readMarks(client);
        const said = fresh.flatMap((batch) => batch.steps.map(stepRollupOf));
        await addSteps(client, await this.known.only(client, said), marks);
        await addLateness(client, fresh, marks);
      }
      return { added: fresh.length, repeated: batches.length - fresh.length };
    });
  }

  /** Forgets some batches that the stream has forgotten too. @returns whether there may be more */
  async forgetOld(): Promise<boolean> {
    const result: [rows: unknown[], forgotten: number] = await this.database.query(FORGET, [
      REMEMBERED_DAYS,
      FORGET_AT_ONCE,
    ]);
    const [, forgotten] = result;
    return forgotten === FORGET_AT_ONCE;
  }
}

/** Those that were not added before, each once. Remembers them. */
async function freshOf(client: PoolClient, batches: readonly TelemetryBatch[]): Promise<TelemetryBatch[]> {
  const byId = new Map(batches.map((batch) => [storableText(batch.id), batch]));
  const { rows } = await client.query<{ id: string }>(REMEMBER, [[...byId.keys()]]);
  return rows.flatMap(({ id }) => byId.get(id) ?? []);
}

async function addSteps(client: PoolClient, said: readonly StepRollup[], marks: RollupMarks): Promise<void> {
  const steps = said.filter(({ minuteMs }) => minuteMs >= marks.foldedMs && minuteMs < marks.nowMs + AHEAD_MS);
  const minutes = new Map<number, number>();
  for (const { minuteMs, figure } of steps) minutes.set(minuteMs, (minutes.get(minuteMs) ?? 0) + figure.attempts);
  if (minutes.size === 0) return;
  const { rows } = await client.query<{ minute_ms: number }>(COUNTED, [[...minutes.keys()].map(timeOf)]);
  for (const { minute_ms: minuteMs } of rows) minutes.delete(minuteMs);
  await addRollups(
    client,
    steps.filter(({ minuteMs }) => minutes.has(minuteMs)),
  );
  await client.query(FEED_MINUTES, [[...minutes.keys()].map(timeOf), [...minutes.values()], timeOf(marks.comparedMs)]);
}

/** Of the minute in which it is added: nothing is counted anew. */
async function addLateness(client: PoolClient, batches: readonly TelemetryBatch[], marks: RollupMarks): Promise<void> {
  const figure = new Sketch();
  for (const { lateness_seconds: seconds } of batches) if (seconds) figure.merge(Sketch.from(seconds));
  if (figure.count === 0) return;
  await addRollups(client, [{ kind: 'lateness', minuteMs: minuteOf(marks.nowMs), pipeline: '', name: '', figure }]);
}

const stepRollupOf = ({ minute, pipeline, step, usage }: TelemetryBatch['steps'][number]): StepRollup => ({
  kind: 'step',
  minuteMs: minuteOf(Date.parse(minute)),
  pipeline: storableText(pipeline),
  name: storableText(step),
  figure: StepUsage.from(usage),
});
