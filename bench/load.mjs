// What every bench needs: jobs sent to a gateway, waited for, and figures made of what the database says of them.
import { Agent, request } from 'node:http';
import pg from 'pg';
import { startStack } from './stack.mjs';

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const BATCH = 1_000;
const BATCHES_AT_ONCE = 2;

/** Lets the process end. */
export const endLoad = () => agent.destroy();

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
export const quantile = (ordered, q) => ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * q))];

/** p50, p95, p99 and the maximum of ordered numbers. */
export const quantiles = (ordered) => ({
  p50: quantile(ordered, 0.5),
  p95: quantile(ordered, 0.95),
  p99: quantile(ordered, 0.99),
  max: ordered.at(-1),
});

/** `median (min–max)` */
export const spread = (numbers, digits = 0) => {
  const all = sorted(numbers);
  return `${quantile(all, 0.5).toFixed(digits)} (${all[0].toFixed(digits)}–${all.at(-1).toFixed(digits)})`;
};

/** `p50 1.0  p95 2.0  p99 3.0  max 4.0 ms` */
export const quantileWords = ({ p50, p95, p99, max }) =>
  `p50 ${p50.toFixed(1)}  p95 ${p95.toFixed(1)}  p99 ${p99.toFixed(1)}  max ${max.toFixed(1)} ms`;

/** Runs `work(stack, database)` on a stack of its own. */
export async function onStack(options, work) {
  const stack = await startStack(options);
  const database = new pg.Client({ connectionString: stack.database_url });
  await database.connect();
  try {
    return await work(stack, database);
  } finally {
    await database.end();
    await stack.stop();
  }
}

/** Runs `work(sides)` on several stacks at once, each under its name: `{ stack, database }`. */
export async function onStacks(options, work, sides = {}) {
  const [[name, own] = [], ...others] = Object.entries(options);
  if (name === undefined) return work(sides);
  return onStack(own, (stack, database) =>
    onStacks(Object.fromEntries(others), work, { ...sides, [name]: { stack, database } }),
  );
}

/** The sides in the order of this round. Who goes first changes, since the machine may get slower or faster meanwhile. */
export const turns = (sides, round) => (round % 2 === 0 ? sides : [...sides].reverse());

export function post(url, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString();
        if (response.statusCode === 202) resolve(answer);
        else reject(new Error(`POST answered ${response.statusCode}: ${answer.slice(0, 300)}`));
      });
    });
    call.on('error', reject);
    call.end(text);
  });
}

/** The database's time, as text: what is submitted from now on was created after it. */
export async function markNow(database) {
  const { rows } = await database.query('SELECT now()::text AS mark');
  return rows[0].mark;
}

/** Submits so many jobs by the batch call, two batches at once. @param job the same for all, or what makes each */
export async function submitBatches(stack, count, job) {
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, i) => Math.min(BATCH, count - i * BATCH));
  const make = typeof job === 'function' ? job : () => job;
  const submit = async () => {
    for (let size = batches.pop(); size !== undefined; size = batches.pop()) {
      await post(`${stack.url}/v1/ingest/batch`, { jobs: Array.from({ length: size }, make) });
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, submit));
}

/** Submits jobs one by one at a steady rate. @returns when each was sent, in milliseconds since 1970, by id */
export async function submitSteadily(stack, perSecond, forSeconds, job) {
  const sentAt = new Map();
  const posts = [];
  const startMs = performance.now();
  for (let i = 0; i < perSecond * forSeconds; i += 1) {
    const dueMs = startMs + (i * 1_000) / perSecond;
    if (dueMs > performance.now()) await pause(dueMs - performance.now());
    const at = performance.timeOrigin + performance.now();
    posts.push(post(`${stack.url}/v1/ingest`, job).then((text) => sentAt.set(JSON.parse(text).id, at)));
  }
  await Promise.all(posts);
  return sentAt;
}

/** Resolves when no job that was created after the mark is on its way. */
export async function untilDone(database, mark, limitMs) {
  for (const endMs = performance.now() + limitMs; performance.now() < endMs; await pause(25)) {
    const { rows } = await database.query(
      'SELECT EXISTS (SELECT FROM jobs WHERE active AND created_at > $1::timestamptz) AS busy',
      [mark],
    );
    if (!rows[0].busy) return;
  }
  throw new Error(`jobs were still on their way after ${limitMs} ms`);
}

/** Submits `count` jobs at once. @returns jobs/s, from the first submission to the last completion */
export async function throughput(stack, database, count, job = { pipeline: 'noop3' }) {
  const mark = await markNow(database);
  await submitBatches(stack, count, job);
  await untilDone(database, mark, 300_000);
  const { rows } = await database.query(
    `SELECT count(*) FILTER (WHERE status = 'completed')::int AS completed,
            extract(epoch FROM max(completed_at) - $1::timestamptz)::float8 AS seconds
     FROM jobs WHERE created_at > $1::timestamptz`,
    [mark],
  );
  const [{ completed, seconds }] = rows;
  if (completed !== count) throw new Error(`${completed} of ${count} jobs completed`);
  return count / seconds;
}
