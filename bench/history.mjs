// What a long history does: throughput and the time of a scrape with it over those without; how fast retention deletes.
import { get } from 'node:http';
import { onStacks, pause, quantiles, quantileWords, sorted, spread, throughput, turns } from './load.mjs';

const PIPELINE = 'noop3';
const FILL_AT_ONCE = 50_000;
const SCRAPES = 50;
const SCRAPE_EVERY_MS = 100;
const DELETE_LIMIT_S = 900;

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

/** How fast jobs that are older than the retention go, while nothing else is done. */
async function retention(database, old) {
  await fill(database, old, 40);
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  let left = old;
  while (left > 0 && seconds() < DELETE_LIMIT_S) {
    await pause(250);
    const { rows } = await database.query(
      `SELECT count(*)::int AS left FROM jobs WHERE created_at < now() - interval '35 days'`,
    );
    left = rows[0].left;
  }
  return (old - left) / seconds();
}

export function measureHistory({ jobs, runs, concurrency, history, old }) {
  return onStacks({ without: { concurrency }, with: { concurrency } }, async (sides) => {
    const rounds = { without: [], with: [] };
    await fill(sides.with.database, history, 5);
    // The first of each warms up: what the filling left to do is done, too.
    for (let round = 0; round <= runs; round += 1) {
      for (const side of turns(['without', 'with'], round)) {
        const { stack, database } = sides[side];
        const url = `${stack.services.find(({ name }) => name === 'metrics').url}/metrics`;
        const plain = await throughput(stack, database, jobs);
        const { result: scraped, times } = await scrapeDuring(url, throughput(stack, database, jobs));
        if (round > 0) rounds[side].push({ plain, scraped, scrape_ms: times });
      }
    }
    return { jobs, history, old, rounds, deleted_per_second: await retention(sides.with.database, old) };
  });
}

export function printHistory({ jobs, history, old, rounds, deleted_per_second }) {
  console.log(`\n${jobs} three-step jobs a run, runs with and without history by turns; median (min–max)`);
  const all = [...rounds.without, ...rounds.with];
  for (const [words, side] of [
    ['no history', rounds.without],
    [`${history} finished jobs`, rounds.with],
  ]) {
    const figures = (name) => spread(side.map((round) => round[name]));
    console.log(`  ${words}: ${figures('plain')} jobs/s, scraped ten times a second ${figures('scraped')}`);
    console.log(`    a scrape takes ${quantileWords(quantiles(sorted(side.flatMap(({ scrape_ms }) => scrape_ms))))}`);
  }
  const ratios = rounds.with.map(({ plain }, round) => plain / rounds.without[round].plain);
  const median = (round) => quantiles(sorted(round.scrape_ms)).p50;
  const scrapes = rounds.with.map((round, index) => median(round) / median(rounds.without[index]));
  const scraped = all.map(({ plain, scraped: with_scrapes }) => with_scrapes / plain);
  console.log(`  ratio with history to without: throughput ${spread(ratios, 2)}, scrape p50 ${spread(scrapes, 2)}`);
  console.log(`  ratio scraped to not scraped: throughput ${spread(scraped, 2)}`);
  console.log(`  retention: ${old} old jobs deleted at ${deleted_per_second.toFixed(0)} a second`);
}
