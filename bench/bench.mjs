// The main job's figures: throughput through the batch call, latency at a steady rate, what it costs. See --help.
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { printProfiles } from './profile.mjs';
import { startStack } from './stack.mjs';
import { cpuSeconds, peakMemoryMb } from './usage.mjs';

const HELP = `npm run bench -- [options]
  --jobs N         jobs of each throughput run; default 20000
  --runs N         throughput runs, after a warm-up; default 5
  --rate N         jobs a second of the latency run; default 200
  --seconds N      length of the latency run; default 20
  --concurrency N  slots of the one worker process; default 400
  --profile        a further run with CPU profiles of gateway and worker, printed by function`;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '20000' },
    runs: { type: 'string', default: '5' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    concurrency: { type: 'string', default: '400' },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const [jobs, runs, rate, seconds, concurrency] = ['jobs', 'runs', 'rate', 'seconds', 'concurrency'].map((name) => {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${name}: expected a whole number above 0, found ${values[name]}\n${HELP}`);
  return process.exit(2);
});

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const BATCH = 1_000;
const BATCHES_AT_ONCE = 2;

function post(url, body) {
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

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const spread = (numbers, digits = 0) => {
  const all = sorted(numbers);
  return `${quantile(all, 0.5).toFixed(digits)} (${all[0].toFixed(digits)}–${all.at(-1).toFixed(digits)})`;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when no job is on its way. */
async function allDone(database, limitMs) {
  for (const endMs = performance.now() + limitMs; performance.now() < endMs; await pause(25)) {
    const { rows } = await database.query('SELECT EXISTS (SELECT FROM jobs WHERE active) AS busy');
    if (!rows[0].busy) return;
  }
  throw new Error(`jobs were still on their way after ${limitMs} ms`);
}

async function throughput(stack, database, count) {
  const {
    rows: [{ mark }],
  } = await database.query('SELECT now() AS mark');
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, i) => Math.min(BATCH, count - i * BATCH));
  const submit = async () => {
    for (let size = batches.pop(); size !== undefined; size = batches.pop()) {
      await post(`${stack.url}/v1/ingest/batch`, { jobs: Array.from({ length: size }, () => ({ pipeline: 'noop3' })) });
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, submit));
  await allDone(database, 300_000);
  const {
    rows: [row],
  } = await database.query(
    `SELECT count(*) FILTER (WHERE status = 'completed')::int AS completed,
            extract(epoch FROM max(completed_at) - $1)::float8 AS seconds FROM jobs WHERE created_at > $1`,
    [mark],
  );
  if (row.completed !== count) throw new Error(`${row.completed} of ${count} jobs completed`);
  return count / row.seconds;
}

async function latency(stack, database, perSecond, forSeconds) {
  const sentAt = new Map();
  const posts = [];
  const startMs = performance.now();
  for (let i = 0; i < perSecond * forSeconds; i += 1) {
    const dueMs = startMs + (i * 1_000) / perSecond;
    if (dueMs > performance.now()) await pause(dueMs - performance.now());
    const at = performance.timeOrigin + performance.now();
    posts.push(
      post(`${stack.url}/v1/ingest`, { pipeline: 'noop3' }).then((text) => sentAt.set(JSON.parse(text).id, at)),
    );
  }
  await Promise.all(posts);
  await allDone(database, 60_000);
  const { rows } = await database.query(
    `SELECT id, extract(epoch FROM completed_at)::float8 * 1000 AS done_ms FROM jobs WHERE id = ANY ($1) AND status = 'completed'`,
    [[...sentAt.keys()]],
  );
  if (rows.length !== perSecond * forSeconds)
    throw new Error(`${rows.length} of ${perSecond * forSeconds} jobs completed`);
  return sorted(rows.map((row) => row.done_ms - sentAt.get(row.id)));
}

const processesOf = (stack) => [...stack.services, ...stack.servers].map(({ name, pid }) => ({ name, pid }));

async function measure() {
  const stack = await startStack({ concurrency });
  const database = new pg.Client({ connectionString: stack.database_url });
  await database.connect();
  try {
    await throughput(stack, database, Math.min(jobs, 5_000));
    await latency(stack, database, rate, 2);
    const before_load = quantiles(await latency(stack, database, rate, seconds));
    const processes = processesOf(stack);
    const before = new Map(processes.map(({ name, pid }) => [name, cpuSeconds(pid)]));
    const rates = [];
    for (let run = 1; run <= runs; run += 1) {
      rates.push(await throughput(stack, database, jobs));
      console.log(`run ${run}: ${rates.at(-1).toFixed(0)} jobs/s`);
    }
    const cost = processes.map(({ name, pid }) => ({
      name,
      cpu: ((cpuSeconds(pid) - before.get(name)) / (runs * jobs)) * 1_000,
    }));
    const after_load = quantiles(await latency(stack, database, rate, seconds));
    const result = {
      jobs,
      runs,
      concurrency,
      rate,
      seconds,
      jobs_per_second: rates,
      latency_ms: { before_load, after_load },
      processes: cost.map(({ name, cpu }) => ({
        name,
        cpu_seconds_per_1000_jobs: cpu,
        peak_memory_mb: peakMemoryMb(processes.find((process) => process.name === name).pid),
      })),
    };
    return result;
  } finally {
    await database.end();
    await stack.stop();
  }
}

const quantiles = (times) => ({
  p50: quantile(times, 0.5),
  p95: quantile(times, 0.95),
  p99: quantile(times, 0.99),
  max: times.at(-1),
});

async function profile() {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-profile-'));
  const stack = await startStack({ concurrency, profileFolder: folder });
  const database = new pg.Client({ connectionString: stack.database_url });
  await database.connect();
  try {
    await throughput(stack, database, jobs);
  } finally {
    await database.end();
    await stack.stop();
  }
  printProfiles(folder);
  await rm(folder, { recursive: true, force: true });
}

const result = await measure();
console.log(
  `\n${jobs} three-step jobs a run, ${runs} runs, one worker process with ${concurrency} slots; median (min–max)`,
);
console.log(`  throughput     ${spread(result.jobs_per_second)} jobs/s`);
for (const [when, { p50, p95, p99, max }] of Object.entries(result.latency_ms)) {
  const figures = `p50 ${p50.toFixed(1)}  p95 ${p95.toFixed(1)}  p99 ${p99.toFixed(1)}  max ${max.toFixed(1)} ms`;
  console.log(`  latency        ${figures}, submission to completion at ${rate} jobs/s, ${when.replace('_', ' ')}`);
}
console.log('  process         CPU s per 1,000 jobs   peak MB');
for (const { name, cpu_seconds_per_1000_jobs: cpu, peak_memory_mb: memory } of result.processes) {
  console.log(`  ${name.padEnd(16)}${cpu.toFixed(3).padStart(16)}${memory.toFixed(0).padStart(14)}`);
}
await mkdir(new URL('./results/', import.meta.url), { recursive: true });
await writeFile(new URL('./results/latest.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
if (values.profile) await profile();
agent.destroy();
