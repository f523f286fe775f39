// What retries cost: how late they begin, and what steps in back-off do to fresh jobs.
import {
  markNow,
  onStack,
  pause,
  quantiles,
  quantileWords,
  sorted,
  spread,
  submitBatches,
  submitSteadily,
  throughput,
  untilDone,
} from './load.mjs';

const FLAKY = { pipeline: 'flaky3' };
/** Two retries of each job, 500 ms after the attempt before. */
const RETRIES = 2;

/** How long after it was due each retry began, in milliseconds: the end of the attempt before, and its delay, added. */
async function lateness(database, mark, jobs) {
  const { rows } = await database.query(
    `SELECT extract(epoch FROM a.started_at - before.finished_at)::float8 * 1000 - before.next_delay_ms AS late_ms
     FROM jobs j JOIN attempts a ON a.job_id = j.id
     JOIN attempts before ON before.job_id = a.job_id AND before.idx = a.idx AND before.number = a.number - 1
     WHERE j.created_at > $1::timestamptz AND j.status = 'completed'`,
    [mark],
  );
  if (rows.length !== jobs * RETRIES) throw new Error(`${rows.length} of ${jobs * RETRIES} retries were found`);
  return quantiles(sorted(rows.map((row) => row.late_ms)));
}

async function burst(stack, database, jobs) {
  const mark = await markNow(database);
  const rate = await throughput(stack, database, jobs, FLAKY);
  return { seconds: jobs / rate, late_ms: await lateness(database, mark, jobs) };
}

async function steady(stack, database, rate, seconds) {
  const mark = await markNow(database);
  await submitSteadily(stack, rate, seconds, FLAKY);
  await untilDone(database, mark, 60_000);
  return lateness(database, mark, rate * seconds);
}

/** Fresh jobs without, then with so many steps in back-off, which wait longer than the measurement takes. */
async function fresh(concurrency, pipeline, waiting, jobs, runs) {
  return onStack({ concurrency }, async (stack, database) => {
    const measured = async () => {
      const rates = [];
      for (let run = 0; run < runs; run += 1) rates.push(await throughput(stack, database, jobs));
      return rates;
    };
    await throughput(stack, database, jobs);
    const without = await measured();
    await submitBatches(stack, waiting, { pipeline });
    const inBackOff = async () => {
      const { rows } = await database.query(`SELECT count(*)::int AS count FROM steps WHERE status = 'retrying'`);
      return rows[0].count;
    };
    for (let looks = 0; (await inBackOff()) < waiting; looks += 1) {
      if (looks > 600) throw new Error('the steps are not all in back-off');
      await pause(50);
    }
    const withThem = await measured();
    if ((await inBackOff()) < waiting) throw new Error('back-offs ended during the measurement: it took too long');
    return { without, with: withThem };
  });
}

export async function measureRetries({ flaky, flakyRate, seconds, waiting, freshJobs, runs, concurrency }) {
  const late = await onStack({ concurrency }, async (stack, database) => {
    await burst(stack, database, 500);
    return {
      steady: await steady(stack, database, flakyRate, seconds),
      burst: await burst(stack, database, flaky),
    };
  });
  const nak = await fresh(concurrency, 'back_off_25s', waiting, freshJobs, runs);
  const scheduler = await fresh(concurrency, 'back_off_1h', waiting, freshJobs, runs);
  return { flaky, flakyRate, seconds, waiting, freshJobs, runs, concurrency, late, fresh: { nak, scheduler } };
}

const ratio = (some, others) =>
  spread(
    some.map((rate, index) => rate / others[index]),
    2,
  );

export function printRetries({ flaky, flakyRate, waiting, freshJobs, runs, late, fresh: { nak, scheduler } }) {
  console.log(`\njobs whose second of three steps fails twice, back-off fixed at 500 ms`);
  console.log(`  ${flakyRate} jobs/s    retries late by ${quantileWords(late.steady)}`);
  console.log(
    `  ${flaky} at once  ${late.burst.seconds.toFixed(2)} s in all, retries late by ${quantileWords(late.burst.late_ms)}, waiting for a slot included`,
  );
  console.log(`\n${freshJobs} fresh three-step jobs a run, ${runs} runs; median (min–max)`);
  for (const [how, { without, with: withThem }] of [
    ['held by their messages', nak],
    ['held by the scheduler', scheduler],
  ]) {
    console.log(
      `  ${waiting} steps in back-off, ${how}: ${spread(withThem)} jobs/s, without ${spread(without)}: ratio ${ratio(withThem, without)}`,
    );
  }
}
