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

/**
 * The same with a lease that a worker keeps on a busy machine: for rows where it matters who is taken for dead.
 */
export const STEADY_TIMES = {
  ...SHORT_TIMES,
  SLUICE_ACK_WAIT: '6s',
  SLUICE_INTERNAL_LEASE: '4s',
  SLUICE_INTERNAL_SWEEP_MARGIN: '7s',
};

/** The same with a look of the sweep that comes soon, for rows where it has to mend what a scheduler has left. */
export const HELD_TIMES = {
  SLUICE_ACK_WAIT: '5s',
  SLUICE_INTERNAL_LEASE: '3s',
  SLUICE_INTERNAL_PUBLISH_LIMIT: '500ms',
  SLUICE_INTERNAL_FLUSH_LIMIT: '500ms',
  SLUICE_INTERNAL_SWEEP_MARGIN: '4200ms',
  SLUICE_INTERNAL_SWEEP_LOOK: '300ms',
};

const BATCH = 1_000;

/** Submits jobs by the batch call; with a function, a job for each number from 0 on. @returns the ids that were answered */
export async function submitMany(
  stack: TestStack,
  count: number,
  job: Readonly<Record<string, unknown>> | ((nth: number) => object) = { pipeline: 'three' },
): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= BATCH) {
    const jobs = Array.from({ length: Math.min(BATCH, left) }, (_, nth) =>
      typeof job === 'function' ? job(ids.length + nth) : job,
    );
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

/** Resolves when none of the jobs is active any more. */
export async function untilAllEnded(stack: TestStack, ids: readonly string[], deadlineMs = 60_000): Promise<void> {
  await until(async () => (await countActive(stack, ids)) === 0, {
    deadlineMs,
    everyMs: 100,
    what: 'the end of all jobs',
  });
}

/**
 * Resolves when all jobs have ended, or nothing is left that could move them but the scheduler: no message, no worker
 * alive that runs a step.
 * @returns how many are stuck
 */
export async function untilAtRest(stack: TestStack, ids: readonly string[], deadlineMs = 60_000): Promise<number> {
  let quiet = 0;
  return until(
    async () => {
      const active = await countActive(stack, ids);
      if (active === 0) return 0;
      const isQuiet = (await messagesLeft(stack)) === 0 && (await countRunning(stack)) === 0;
      quiet = isQuiet ? quiet + 1 : 0;
      // What is being settled at the first look is published by the next ones.
      return quiet >= QUIET_LOOKS ? active : undefined;
    },
    { deadlineMs, everyMs: 200, what: 'the end of all jobs, or of all that could move them' },
  );
}

const QUIET_LOOKS = 5;

async function countActive(stack: TestStack, ids: readonly string[]): Promise<number> {
  const [row] = await stack.query<{ active: number }>(
    'SELECT count(*)::int AS active FROM unnest($1::uuid[]) AS id JOIN jobs USING (id) WHERE active',
    [ids],
  );
  return row?.active ?? 0;
}

/** Steps at work under a lease that is not over; of one worker process where its pid is given. */
export async function countRunning(stack: TestStack, pid: number | null = null): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM steps s JOIN workers w ON w.id = s.worker
      WHERE s.status = 'running' AND w.lease_until > now() AND ($1::int IS NULL OR w.pid = $1)`,
    [pid],
  );
  return row?.count ?? 0;
}

export interface Verdict {
  /** Jobs that were answered with 202 and are not completed. */
  readonly lost: number;
  /** (job, step) pairs that do not have exactly one completed attempt, or whose row is not completed. */
  readonly notOnce: number;
  readonly retries: number;
  /** Failed for good, quarantined ones included. */
  readonly failedJobs: number;
  /** Rows that say what can not be: a step at work in a job that has ended, a step before what it needs, epochs that fall. */
  readonly forbidden: number;
  /** Attempts that ended with their worker. */
  readonly crashes: number;
}

/** What SQL says of jobs that were answered with 202, all of which have `steps` steps, each needing the one before. */
export async function judge(stack: TestStack, accepted: readonly string[], steps: number): Promise<Verdict> {
  const [row] = await stack.query<{ [name in keyof Verdict]: number }>(VERDICT, [accepted, steps]);
  if (!row) throw new Error('no verdict');
  return row;
}

const VERDICT = `
WITH accepted AS (SELECT unnest($1::uuid[]) AS id),
     wanted AS (SELECT id, idx FROM accepted, generate_series(0, $2::int - 1) AS idx),
     tried AS (SELECT a.* FROM attempts a JOIN accepted ON id = job_id),
     rows AS (SELECT s.* FROM steps s JOIN accepted ON id = job_id),
     effects AS (SELECT job_id, idx, count(*) AS times FROM tried WHERE outcome = 'completed' GROUP BY 1, 2)
SELECT (SELECT count(*)::int FROM accepted LEFT JOIN jobs USING (id) WHERE status IS DISTINCT FROM 'completed') AS lost,
       (SELECT count(*)::int FROM wanted w LEFT JOIN effects e ON e.job_id = w.id AND e.idx = w.idx
          LEFT JOIN rows s ON s.job_id = w.id AND s.idx = w.idx
         WHERE e.times IS DISTINCT FROM 1 OR s.status IS DISTINCT FROM 'completed') AS "notOnce",
       (SELECT coalesce(sum(retry_count), 0)::int FROM rows) AS retries,
       (SELECT count(*)::int FROM jobs JOIN accepted USING (id) WHERE status = 'failed') AS "failedJobs",
       (SELECT count(*)::int FROM tried WHERE outcome = 'crashed') AS crashes,
       (SELECT count(*)::int FROM rows s JOIN jobs j ON j.id = s.job_id
         WHERE NOT j.active AND s.status IN ('queued', 'parked', 'running', 'retrying'))
     + (SELECT count(*)::int FROM rows s WHERE s.idx > 0 AND NOT EXISTS
         (SELECT FROM rows b WHERE b.job_id = s.job_id AND b.idx = s.idx - 1 AND b.status = 'completed'))
     + (SELECT count(*)::int FROM rows s JOIN tried a USING (job_id, idx) WHERE a.epoch > s.epoch)
     + (SELECT count(*)::int FROM jobs j JOIN accepted USING (id)
         WHERE j.status = 'completed' AND (j.done <> j.all_steps OR j.open <> 0 OR j.dead <> 0)) AS forbidden`;

/** Nothing lost, nothing doubled, nothing that can not be; whether attempts crashed is for the row to say. */
export const SPOTLESS = { lost: 0, notOnce: 0, retries: 0, failedJobs: 0, forbidden: 0 };

interface StreamState {
  /** Messages that it holds. */
  readonly messages: number;
  /** Number of the last one that it took. */
  readonly last_seq: number;
}

/** Messages left in the work stream. */
export const messagesLeft = async (stack: TestStack): Promise<number> => (await workStream(stack)).messages;

/** What the work stream holds. */
export const workStream = (stack: TestStack): Promise<StreamState> => streamState(stack, 'SLUICE_WORK');

/** What a stream holds, by the server's own monitoring page. */
export async function streamState(stack: TestStack, name: string): Promise<StreamState> {
  const response = await fetch(`${stack.nats.monitorUrl}/jsz?streams=true`);
  const page = (await response.json()) as {
    account_details?: { stream_detail?: { name: string; state: StreamState }[] }[];
  };
  const streams = (page.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
  const found = streams.find((stream) => stream.name === name);
  if (!found) throw new Error(`there is no stream ${name}`);
  return found.state;
}

/** Resolves when the work stream is empty. */
export async function untilStreamEmpty(stack: TestStack, deadlineMs = 60_000): Promise<void> {
  await until(async () => (await messagesLeft(stack)) === 0, { deadlineMs, what: 'an empty work stream' });
}

/** How many of the jobs are completed. */
export async function countCompleted(stack: TestStack, ids: readonly string[]): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM unnest($1::uuid[]) AS id JOIN jobs USING (id) WHERE status = 'completed'`,
    [ids],
  );
  return row?.count ?? 0;
}

/** Resolves when so many of the jobs are completed. */
export async function untilCompleted(stack: TestStack, ids: readonly string[], count: number): Promise<void> {
  const enough = async (): Promise<boolean> => (await countCompleted(stack, ids)) >= count;
  await until(enough, { deadlineMs: 60_000, what: `${count} completed jobs` });
}
