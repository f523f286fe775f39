import type { PoolClient } from 'pg';
import { JobUsage, type JobUsageJson } from '#shared/domain/usage/job-usage';
import { Sketch, type SketchJson } from '#shared/domain/usage/sketch';
import { StepUsage, type StepUsageJson } from '#shared/domain/usage/step-usage';

export const MINUTE_MS = 60_000;
/** The minute of what was folded: before all others. */
export const FOLDED = -Infinity;

/** What a roll-up is about. Minutes are milliseconds since 1970 of their beginning, or `FOLDED`. */
interface RollupKey {
  readonly minuteMs: number;
  readonly pipeline: string;
  readonly name: string;
}

export type Rollup = RollupKey &
  (
    | { readonly kind: 'step'; readonly figure: StepUsage }
    | { readonly kind: 'job'; readonly figure: JobUsage }
    | { readonly kind: 'wait' | 'lateness'; readonly figure: Sketch }
  );

type RollupData =
  | { readonly kind: 'step'; readonly data: StepUsageJson }
  | { readonly kind: 'job'; readonly data: JobUsageJson }
  | { readonly kind: 'wait' | 'lateness'; readonly data: SketchJson };

/** A row of `rollups` as these columns give it. */
export type RollupRow = RollupData & { readonly minute_ms: number; readonly pipeline: string; readonly name: string };
export const ROLLUP_COLUMNS = `extract(epoch FROM minute)::float8 * 1000 AS minute_ms, kind, pipeline, name, data`;

export function rollupOf(row: RollupRow): Rollup {
  const key = { minuteMs: row.minute_ms, pipeline: row.pipeline, name: row.name };
  if (row.kind === 'step') return { ...key, kind: row.kind, figure: StepUsage.from(row.data) };
  if (row.kind === 'job') return { ...key, kind: row.kind, figure: JobUsage.from(row.data) };
  return { ...key, kind: row.kind, figure: Sketch.from(row.data) };
}

/** A time as Postgres reads it. */
export const timeOf = (ms: number): string => (ms === FOLDED ? '-infinity' : new Date(ms).toISOString());

const keyOf = ({ minuteMs, kind, pipeline, name }: Rollup): string =>
  JSON.stringify([timeOf(minuteMs), kind, pipeline, name]);

/** Makes one of those that are about the same. */
export function mergeRollups(rollups: Iterable<Rollup>): Rollup[] {
  const merged = new Map<string, Rollup>();
  for (const rollup of rollups) {
    const key = keyOf(rollup);
    const known = merged.get(key);
    if (known) mergeInto(known, rollup);
    else merged.set(key, rollup);
  }
  return [...merged.values()];
}

function mergeInto(to: Rollup, from: Rollup): void {
  if (to.kind === 'step' && from.kind === 'step') to.figure.merge(from.figure);
  else if (to.kind === 'job' && from.kind === 'job') to.figure.merge(from.figure);
  else if (to.figure instanceof Sketch && from.figure instanceof Sketch) to.figure.merge(from.figure);
}

const columnsOf = (rollups: readonly Rollup[]): string[][] => [
  rollups.map(({ minuteMs }) => timeOf(minuteMs)),
  rollups.map(({ kind }) => kind),
  rollups.map(({ pipeline }) => pipeline),
  rollups.map(({ name }) => name),
];

const READ = `
SELECT ${ROLLUP_COLUMNS} FROM rollups JOIN unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[])
  AS u (minute, kind, pipeline, name) USING (minute, kind, pipeline, name)`;

const WRITE = `
INSERT INTO rollups (minute, kind, pipeline, name, data)
SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
ON CONFLICT (minute, kind, pipeline, name) DO UPDATE SET data = excluded.data`;

/** Adds to what is there. Under the lock of roll-ups. */
export async function addRollups(client: PoolClient, rollups: Iterable<Rollup>): Promise<void> {
  const added = mergeRollups(rollups);
  if (added.length === 0) return;
  const { rows } = await client.query<RollupRow>(READ, columnsOf(added));
  await writeRollups(client, mergeRollups([...added, ...rows.map(rollupOf)]));
}

/** Sets them, whatever was there. Each is about something else. Under the lock of roll-ups. */
export async function writeRollups(client: PoolClient, rollups: readonly Rollup[]): Promise<void> {
  if (rollups.length === 0) return;
  const data = rollups.map(({ figure }) => JSON.stringify(figure));
  await client.query(WRITE, [...columnsOf(rollups), data]);
}
