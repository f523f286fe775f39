import type { TestStack } from './stack';

/** Attempts by `pipeline/step/outcome` and ended jobs by `pipeline/status`. */
export type Totals = Readonly<Record<string, number>>;

const ENDED = ['completed', 'failed', 'cancelled'];
const LINE = /^(sluice_step_attempts_total|sluice_jobs_total)\{(.*)\} (\d+)$/;

/** The totals that a metrics service gives Prometheus. */
export async function servedTotals(stack: TestStack): Promise<Totals> {
  const response = await fetch(`${stack.metrics.url}/metrics`);
  const totals: Record<string, number> = {};
  for (const line of (await response.text()).split('\n')) {
    const [, name, text = '', value] = LINE.exec(line) ?? [];
    if (name === undefined || value === '0') continue;
    const pairs = Array.from(text.matchAll(/(\w+)="([^"]*)"/g), ([, key = '', label = '']) => [key, label] as const);
    const labels = Object.fromEntries(pairs);
    const keyOf = (...keys: string[]): string => keys.map((key) => labels[key]).join('/');
    if (name === 'sluice_step_attempts_total') totals[keyOf('pipeline', 'step', 'outcome')] = Number(value);
    else if (ENDED.includes(keyOf('status'))) totals[keyOf('pipeline', 'status')] = Number(value);
  }
  return totals;
}

/** The same, counted in Postgres. Where no job was retried each has ended once. */
export async function storedTotals(stack: TestStack): Promise<Totals> {
  const rows = await stack.query<{ key: string; value: number }>(
    `SELECT j.pipeline || '/' || (p.definition -> 'steps' -> a.idx::int ->> 'name') || '/' || a.outcome AS key,
            count(*)::int AS value
     FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN pipelines p ON p.hash = j.pipeline_hash GROUP BY 1
     UNION ALL
     SELECT pipeline || '/' || status, count(*)::int FROM jobs WHERE status = ANY ($1::text[]) GROUP BY 1`,
    [ENDED],
  );
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** What is not the same in both, in words. */
export async function differingTotals(stack: TestStack): Promise<string[]> {
  const [served, stored] = await Promise.all([servedTotals(stack), storedTotals(stack)]);
  const keys = [...new Set([...Object.keys(served), ...Object.keys(stored)])].sort();
  return keys
    .filter((key) => served[key] !== stored[key])
    .map((key) => `${key}: served ${served[key] ?? 0}, stored ${stored[key] ?? 0}`);
}
