// How late delayed jobs start: few or very many held besides, and a burst of them. What the scheduler's memory is.
import {
  markNow,
  onStack,
  pause,
  quantiles,
  quantileWords,
  sorted,
  spread,
  submitBatches,
  throughput,
} from './load.mjs';
import { memoryMb } from './usage.mjs';

const PIPELINE = 'noop3';
/** From the submission of jobs on, by which time all of them are stored: most of a thousand a second are. */
const LEAD_MS = 3_000;
const STORED_PER_MS = 2;
const LIMIT_MS = 300_000;
const DAY_SECONDS = 86_400;
const MEMORY_SAMPLES = 20;

/** Resolves when nothing is due up to a moment, and nothing on its way. */
async function untilDone(database, lastDue) {
  await pause(lastDue.getTime() - Date.now());
  for (const endMs = performance.now() + LIMIT_MS; performance.now() < endMs; await pause(100)) {
    const { rows } = await database.query(
      'SELECT EXISTS (SELECT FROM jobs WHERE due_at <= $1) OR EXISTS (SELECT FROM jobs WHERE active) AS busy',
      [lastDue],
    );
    if (!rows[0].busy) return;
  }
  throw new Error(`delayed jobs were still on their way after ${LIMIT_MS} ms`);
}

/** What the database says of the jobs that were created after the mark, in milliseconds after each was due. */
async function timesOf(database, mark, count) {
  const { rows } = await database.query(
    `SELECT extract(epoch FROM j.queued_at - j.eta)::float8 * 1000 AS queued,
            extract(epoch FROM s.started_at - j.eta)::float8 * 1000 AS started,
            extract(epoch FROM j.completed_at - j.eta)::float8 * 1000 AS completed
     FROM jobs j JOIN steps s ON s.job_id = j.id AND s.idx = 0
     WHERE j.created_at > $1::timestamptz AND j.status = 'completed'`,
    [mark],
  );
  if (rows.length !== count) throw new Error(`${rows.length} of ${count} delayed jobs completed`);
  return rows;
}

/** Jobs at random moments over some seconds: how late each was released, and its first step begun. */
async function round(stack, database, jobs, overSeconds) {
  const mark = await markNow(database);
  const firstMs = Date.now() + LEAD_MS + jobs / STORED_PER_MS;
  const eta = () => new Date(firstMs + Math.random() * overSeconds * 1_000).toISOString();
  await submitBatches(stack, jobs, () => ({ pipeline: PIPELINE, eta: eta() }));
  if (Date.now() > firstMs) throw new Error('the first jobs were due before the last were stored');
  await untilDone(database, new Date(firstMs + overSeconds * 1_000));
  const times = await timesOf(database, mark, jobs);
  return {
    early: times.filter(({ queued, started }) => queued < 0 || started < 0).length,
    queued: quantiles(sorted(times.map(({ queued }) => queued))),
    started: quantiles(sorted(times.map(({ started }) => started))),
  };
}

/** Jobs that nothing will release while the bench runs, put into the tables as the gateway would. */
async function hold(database, count) {
  if (count > 0) {
    const { rows } = await database.query(`SELECT current_setting('server_version_num')::int >= 180000 AS has_uuidv7`);
    await database.query(
      `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, due_at, eta)
       SELECT ${rows[0].has_uuidv7 ? 'uuidv7()' : 'gen_random_uuid()'}, hash, name, 'scheduled', 'default', 7, 1, due, due
       FROM (SELECT hash, name, now() + (1 + 300 * random()) * $2 * interval '1 second' AS due
             FROM pipelines, generate_series(1, $1::int) WHERE name = $3) AS held`,
      [count, DAY_SECONDS, PIPELINE],
    );
  }
  await database.query('VACUUM ANALYZE jobs');
  await database.query('CHECKPOINT');
}

/** The median of some looks, a moment apart. */
async function memoryOf(pid) {
  const looks = [];
  while (looks.length < MEMORY_SAMPLES) {
    looks.push(memoryMb(pid));
    await pause(100);
  }
  return sorted(looks)[MEMORY_SAMPLES / 2];
}

/** Rounds with so many further jobs held, on a stack of their own. */
function withHeld(held, { delayed, over, rounds, concurrency }) {
  return onStack({ concurrency }, async (stack, database) => {
    const { pid } = stack.services.find(({ name }) => name.startsWith('scheduler'));
    await throughput(stack, database, 2_000, { pipeline: PIPELINE });
    await hold(database, held);
    await round(stack, database, Math.ceil(delayed / 4), over / 4);
    const measured = [];
    while (measured.length < rounds) measured.push(await round(stack, database, delayed, over));
    return { held, rounds: measured, memory_mb: await memoryOf(pid) };
  });
}

/** Jobs that are all due at one moment, and as many that are due at once: what the pipeline can take. */
function burst({ burst: jobs, concurrency }) {
  return onStack({ concurrency }, async (stack, database) => {
    await throughput(stack, database, 5_000, { pipeline: PIPELINE });
    const rate = await throughput(stack, database, jobs, { pipeline: PIPELINE });
    const mark = await markNow(database);
    const due = new Date(Date.now() + LEAD_MS + jobs / STORED_PER_MS);
    await submitBatches(stack, jobs, { pipeline: PIPELINE, eta: due.toISOString() });
    if (Date.now() > due.getTime()) throw new Error('the burst was due before all of it was stored');
    await untilDone(database, due);
    const times = await timesOf(database, mark, jobs);
    const last = (what) => Math.max(...times.map((time) => time[what])) / 1_000;
    const early = times.filter(({ queued }) => queued < 0).length;
    const seconds = { released: last('queued'), started: last('started'), completed: last('completed') };
    return { jobs, early, seconds, undelayed_seconds: jobs / rate };
  });
}

export async function measureSchedules(options) {
  const { held, delayed, over, rounds, concurrency } = options;
  const conditions = [];
  for (const count of held) {
    conditions.push(await withHeld(count, options));
    console.log(`measured with ${count} held`);
  }
  return { delayed, over, rounds, concurrency, conditions, burst: await burst(options) };
}

const middle = (numbers) => sorted(numbers)[Math.floor(numbers.length / 2)];

/** The medians of the rounds. */
const medians = (rounds, what) =>
  Object.fromEntries(['p50', 'p95', 'p99', 'max'].map((q) => [q, middle(rounds.map((each) => each[what][q]))]));

const conditionWords = ({ held, rounds, memory_mb }) =>
  [
    `  ${held} held besides; scheduler ${memory_mb.toFixed(0)} MB; early ${rounds.reduce((sum, { early }) => sum + early, 0)}`,
    `    released       ${quantileWords(medians(rounds, 'queued'))}`,
    `    step started   ${quantileWords(medians(rounds, 'started'))}, p99 of the rounds ${spread(
      rounds.map(({ started }) => started.p99),
      1,
    )}`,
  ].join('\n');

export function printSchedules({ delayed, over, rounds, concurrency, conditions, burst: { jobs, ...burst } }) {
  console.log(
    `\n${delayed} three-step jobs due at random moments over ${over} s, ${rounds} rounds, one worker process with ${concurrency} slots: time after the eta, medians of the rounds`,
  );
  const [alone, ...others] = conditions;
  for (const condition of conditions) console.log(conditionWords(condition));
  for (const { held, rounds: measured } of others) {
    const ratios = ['p50', 'p99'].map((q) => {
      const base = middle(alone.rounds.map(({ started }) => started[q]));
      const all = measured.map(({ started }) => started[q] / base);
      return `${q} ${spread(all, 2)}`;
    });
    console.log(`  start with ${held} held, as a ratio to none: ${ratios.join(', ')}`);
  }
  const { released, started, completed } = burst.seconds;
  console.log(
    `  ${jobs} due at one moment: the last released after ${released.toFixed(2)} s, started after ${started.toFixed(2)} s, ` +
      `completed after ${completed.toFixed(2)} s; early ${burst.early}. Not delayed, the same jobs take ${burst.undelayed_seconds.toFixed(2)} s`,
  );
}
