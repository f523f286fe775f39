// What a long history does: throughput and the time of a scrape with it over those without; how fast retention deletes.
import { get } from 'node:http';
import { onStack, pause, quantile, quantiles, quantileWords, sorted, spread, throughput } from './load.mjs';

const PIPELINE = 'noop3';
const FILL_AT_ONCE = 50_000;
const SCRAPES = 50;
const SCRAPE_EVERY_MS = 100;
const DELETE_LIMIT_MS = 900_000;

/** Finished jobs with their steps and attempts, put into the tables as workers would, so many days old. */
async function fill(database, count, days) {
  for (let left = count; left > 0; left -= FILL_AT_ONCE) {
    await database.query(
      `WITH made AS (
         INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, done, created_at, queued_at,
                           started_at, completed_at)
         SELECT gen_random_uuid(), hash, name, 'completed', 'default', 7, 1, 7, at, at, at, at + interval '5 milliseconds'
         FROM (SELECT hash, name, now() - ($2 + random()) * interval '1 day' AS at
               FROM pipelines, generate_series(1, $1::int) WHERE name = $3) AS past
         RETURNING id, created_at
       ), ended AS (
         INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, duration_ms,
                               cpu_percent, memory_mb)
         SELECT id, idx, 1, 1, 'bench', 'completed', created_at, created_at + interval '1 millisecond', 1, 50, 100
         FROM made, generate_series(0, 2) AS idx
       )
       INSERT INTO steps (job_id, idx, status, attempts, worker, turn, started_at, completed_at, duration_ms, cpu_percent,
                          memory_mb)
       SELECT id, idx, 'completed', 1, 'bench', 0, created_at, created_at + interval '1 millisecond', 1, 50, 100
       FROM made, generate_series(0, 2) AS idx`,
      [Math.min(left, FILL_AT_ONCE), days, PIPELINE],
    );
  }
  await database.query('VACUUM ANALYZE jobs, steps, attempts');
  await database.query('CHECKPOINT');
}

const scrape = (url) =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now();
    get(url, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(performance.now() - startedAt)
          : reject(new Error(`${url} answered ${response.statusCode}`)),
      );
    }).on('error', reject);
  });

/** One scrape after another, ten a second, until `done` resolves. @returns how long each took, in ms */
async function scrapeDuring(url, done) {
  const times = [];
  let isOver = false;
  const work = done.finally(() => (isOver = true));
  while (!isOver || times.length < SCRAPES) {
    times.push(await scrape(url));
    await pause(SCRAPE_EVERY_MS);
  }
  return { result: await work, times };
}

async function round(stack, database, { jobs, runs }) {
  const url = `${stack.services.find(({ name }) => name === 'metrics').url}/metrics`;
  const [plain, scraped, times] = [[], [], []];
  for (let run = 1; run <= runs; run += 1) {
    plain.push(await throughput(stack, database, jobs));
    const during = await scrapeDuring(url, throughput(stack, database, jobs));
    scraped.push(during.result);
    times.push(...during.times);
  }
  return { jobs_per_second: plain, jobs_per_second_scraped: scraped, scrape_ms: quantiles(sorted(times)) };
}

export function measureHistory(options) {
  return onStack({ concurrency: options.concurrency }, async (stack, database) => {
    await throughput(stack, database, Math.min(options.jobs, 5_000));
    const without = await round(stack, database, options);
    await fill(database, options.history, 5);
    const withHistory = await round(stack, database, options);
    await fill(database, options.old, 40);
    const startedAt = performance.now();
    let left = options.old;
    while (left > 0 && performance.now() - startedAt < DELETE_LIMIT_MS) {
      await pause(250);
      const { rows } = await database.query(
        `SELECT count(*)::int AS left FROM jobs WHERE created_at < now() - interval '35 days'`,
      );
      left = rows[0].left;
    }
    const deleted_per_second = (options.old - left) / ((performance.now() - startedAt) / 1_000);
    return {
      jobs: options.jobs,
      history: options.history,
      old: options.old,
      without,
      with: withHistory,
      deleted_per_second,
    };
  });
}

export function printHistory({ jobs, history, old, without, with: withHistory, deleted_per_second }) {
  console.log(`\n${jobs} three-step jobs a run; median (min–max)`);
  for (const [words, { jobs_per_second, jobs_per_second_scraped, scrape_ms }] of [
    ['no history', without],
    [`${history} finished jobs`, withHistory],
  ]) {
    console.log(
      `  ${words}: ${spread(jobs_per_second)} jobs/s, scraped ten times a second ${spread(jobs_per_second_scraped)}`,
    );
    console.log(`    a scrape takes ${quantileWords(scrape_ms)}`);
  }
  const median = (numbers) => quantile(sorted(numbers), 0.5);
  const ratio = median(withHistory.jobs_per_second) / median(without.jobs_per_second);
  const scrapes = withHistory.scrape_ms.p50 / without.scrape_ms.p50;
  console.log(`  ratio with history to without: throughput ${ratio.toFixed(2)}, scrape p50 ${scrapes.toFixed(2)}`);
  console.log(`  retention: ${old} old jobs deleted at ${deleted_per_second.toFixed(0)} a second`);
}
