// Figures of Sluice, measured on stacks of its own. See --help.
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { measureDashboard, printDashboard } from './dashboard.mjs';
import { endLoad } from './load.mjs';
import { measureHistory, printHistory } from './history.mjs';
import { measureMainJob, printMainJob, profileMainJob } from './main-job.mjs';
import { measureRetries, printRetries } from './retries.mjs';
import { measureSchedules, printSchedules } from './schedules.mjs';
import { measureTelemetry, printTelemetry } from './telemetry.mjs';

const HELP = `npm run bench -- [main | retries | schedules | telemetry | history | dashboard ...] [options]      all of them when none is named
main: throughput and latency of jobs that do nothing
  --jobs N         jobs of each throughput run; default 20000
  --runs N         throughput runs, after a warm-up; default 5
  --rate N         jobs a second of the latency run; default 200
  --seconds N      length of the latency run; default 20
  --profile        a further run with CPU profiles of gateway and worker, printed by function
retries: how late retries begin, and what steps in back-off do to fresh jobs
  --flaky N        jobs whose second step fails twice, all at once; default 5000
  --flaky-rate N   the same, so many a second, for --seconds; default 100
  --waiting N      steps in back-off; default 10000
  --fresh N        fresh jobs of each run beside them; default 10000
schedules: how late delayed jobs start, whatever is held; a burst of them; the scheduler's memory
  --delayed N      jobs of each round, due at random moments; default 10000
  --over N         seconds over which they are due; default 20
  --rounds N       rounds under each condition, after a short one; default 3
  --held A,B,…     further jobs held far in the future, a stack of its own for each; default 0,200000,1000000
  --burst N        jobs due at one moment; default 50000
telemetry: what it costs, as throughput with it over throughput without; --jobs
  --pairs N        runs with and without it, by turns on two stacks; default 15
history: throughput and scrapes with many finished jobs over those without; how fast retention deletes; --jobs, --runs
  --history N      finished jobs; default 1000000
  --old N          finished jobs older than the retention; default 100000
dashboard: its size, how soon it is there, the memory of a tab while jobs come in at --rate; needs a Chromium
  --minutes N      for so long; default 10
all
  --concurrency N  slots of the one worker process; default 400`;

const DEFAULTS = {
  ...{ jobs: 20_000, runs: 5, rate: 200, seconds: 20, concurrency: 400 },
  ...{ flaky: 5_000, 'flaky-rate': 100, waiting: 10_000, fresh: 10_000 },
  ...{ pairs: 15, history: 1_000_000, old: 100_000 },
  ...{ minutes: 10 },
  ...{ delayed: 10_000, over: 20, rounds: 3, burst: 50_000 },
};

const BENCHES = {
  main: { measure: measureMainJob, print: printMainJob },
  retries: { measure: measureRetries, print: printRetries },
  schedules: { measure: measureSchedules, print: printSchedules },
  telemetry: { measure: measureTelemetry, print: printTelemetry },
  history: { measure: measureHistory, print: printHistory },
  dashboard: { measure: measureDashboard, print: printDashboard },
};

function refuse(words) {
  console.error(`${words}\n${HELP}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: 'string' }])),
    held: { type: 'string', default: '0,200000,1000000' },
    profile: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const numbers = Object.fromEntries(
  Object.entries(DEFAULTS).map(([name, fallback]) => {
    const number = Number(values[name] ?? fallback);
    if (!Number.isInteger(number) || number <= 0)
      refuse(`--${name}: expected a whole number above 0, found ${values[name]}`);
    return [name, number];
  }),
);
const held = values.held.split(',').map(Number);
if (held[0] !== 0 || !held.every((count) => Number.isInteger(count) && count >= 0))
  refuse(`--held: expected whole numbers separated by commas, the first of them 0, found ${values.held}`);
for (const name of positionals) if (!Object.hasOwn(BENCHES, name)) refuse(`there is no bench called ${name}`);
const options = { ...numbers, flakyRate: numbers['flaky-rate'], freshJobs: numbers.fresh, held };

await mkdir(new URL('./results/', import.meta.url), { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
  const { measure, print } = BENCHES[name];
  const result = await measure(options);
  print(result);
  await writeFile(new URL(`./results/${name}.json`, import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
if (values.profile) await profileMainJob(options);
endLoad();
