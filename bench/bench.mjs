// Figures of Sluice, measured on stacks of its own. See --help.
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { endLoad } from './load.mjs';
import { measureMainJob, printMainJob, profileMainJob } from './main-job.mjs';
import { measureRetries, printRetries } from './retries.mjs';

const HELP = `npm run bench -- [main | retries ...] [options]      all of them when none is named
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
all
  --concurrency N  slots of the one worker process; default 400`;

const DEFAULTS = {
  ...{ jobs: 20_000, runs: 5, rate: 200, seconds: 20, concurrency: 400 },
  ...{ flaky: 5_000, 'flaky-rate': 100, waiting: 10_000, fresh: 10_000 },
};

const BENCHES = {
  main: { measure: measureMainJob, print: printMainJob },
  retries: { measure: measureRetries, print: printRetries },
};

function refuse(words) {
  console.error(`${words}\n${HELP}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: 'string' }])),
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
for (const name of positionals) if (!Object.hasOwn(BENCHES, name)) refuse(`there is no bench called ${name}`);
const options = { ...numbers, flakyRate: numbers['flaky-rate'], freshJobs: numbers.fresh };

await mkdir(new URL('./results/', import.meta.url), { recursive: true });
for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
  const { measure, print } = BENCHES[name];
  const result = await measure(options);
  print(result);
  await writeFile(new URL(`./results/${name}.json`, import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
}
if (values.profile) await profileMainJob(options);
endLoad();
