import type { TestStack } from '../support/stack';
import { until } from '../support/poll';

/** Time-outs of the turn protocol, all shortened by the same measure. */
export const SHORT_TIMES = {
  SLUICE_ACK_WAIT: '4s',
  SLUICE_INTERNAL_LEASE: '2s',
  SLUICE_INTERNAL_PUBLISH_LIMIT: '1s',
  SLUICE_INTERNAL_FLUSH_LIMIT: '1s',
  SLUICE_INTERNAL_SWEEP_MARGIN: '5s',
  SLUICE_INTERNAL_SWEEP_LOOK: '500ms',
};

/** Three steps that take a moment each, so that a fault finds many of them at work. */
export const THREE_STEPS = `
retry: { max_retries: 0 }
pipelines:
  three:
    steps:
      - { name: one, uses: noop, options: { duration_ms: 10 } }
      - { name: two, uses: noop, options: { duration_ms: 10 } }
      - { name: three, uses: noop, options: { duration_ms: 10 } }
`;

const BATCH = 1_000;

/** Submits jobs by the batch call. @returns the ids that were answered */
export async function submitMany(
  stack: TestStack,
  count: number,
  job: object = { pipeline: 'three' },
): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, left) }, () => job);
    const response = await fetch(`${stack.url}/v1/ingest/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jobs }),
    });
    if (response.status !== 202) throw new Error(`batch answered ${response.status}: ${await response.text()}`);
    const { items } = (await response.json()) as { items: { id?: string }[] };
    for (const item of items) {
      if (item.id === undefined) throw new Error(`not accepted: ${JSON.stringify(item)}`);
      ids.push(item.id);
    }
  }
  return ids;
}

export async function countJobs(stack: TestStack, status: string): Promise<number> {
  const [row] = await stack.query<{ count: number }>('SELECT count(*)::int AS count FROM jobs WHERE status = $1', [
    status,
  ]);
  return row?.count ?? 0;
}

/** Resolves when every job has ended. */
export async function untilAllEnded(stack: TestStack, deadlineMs: number): Promise<void> {
  const noneActive = async (): Promise<boolean> => {
    const [row] = await stack.query<{ active: number }>('SELECT count(*)::int AS active FROM jobs WHERE active');
    return row?.active === 0;
  };
  await until(noneActive, { deadlineMs, everyMs: 100, what: 'the end of all jobs' });
}

export interface Verdict {
  /** Accepted jobs that are not completed. */
  readonly lost: number;
  /** (job, step) pairs that do not have exactly one completed attempt, or whose row is not completed. */
  readonly notOnce: number;
  readonly retries: number;
  readonly failedJobs: number;
}

/** What SQL says of the accepted jobs, all of which have `steps` steps. */
export async function judge(stack: TestStack, accepted: readonly string[], steps: number): Promise<Verdict> {
  const [row] = await stack.query<{ lost: number; not_once: number; retries: number; failed: number }>(
    `WITH accepted AS (SELECT unnest($1::uuid[]) AS id),
          wanted AS (SELECT id, idx FROM accepted, generate_series(0, $2::int - 1) AS idx),
          effects AS (SELECT job_id, idx, count(*) AS times FROM attempts WHERE outcome = 'completed' GROUP BY 1, 2)
     SELECT (SELECT count(*)::int FROM accepted LEFT JOIN jobs USING (id) WHERE status IS DISTINCT FROM 'completed') AS lost,
            (SELECT count(*)::int FROM wanted w LEFT JOIN effects e ON e.job_id = w.id AND e.idx = w.idx
               LEFT JOIN steps s ON s.job_id = w.id AND s.idx = w.idx
              WHERE e.times IS DISTINCT FROM 1 OR s.status IS DISTINCT FROM 'completed') AS not_once,
            (SELECT coalesce(sum(retry_count), 0)::int FROM steps) AS retries,
            (SELECT count(*)::int FROM jobs WHERE status = 'failed') AS failed`,
    [accepted, steps],
  );
  if (!row) throw new Error('no verdict');
  return { lost: row.lost, notOnce: row.not_once, retries: row.retries, failedJobs: row.failed };
}

export const SPOTLESS: Verdict = { lost: 0, notOnce: 0, retries: 0, failedJobs: 0 };

/** Messages left in the work stream, by the server's own monitoring page. */
export async function messagesLeft(stack: TestStack): Promise<number> {
  const response = await fetch(`${stack.nats.monitorUrl}/jsz?streams=true`);
  const page = (await response.json()) as {
    account_details?: { stream_detail?: { name: string; state: { messages: number } }[] }[];
  };
  const streams = (page.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
  const work = streams.find((stream) => stream.name === 'SLUICE_WORK');
  if (!work) throw new Error('there is no stream SLUICE_WORK');
  return work.state.messages;
}
