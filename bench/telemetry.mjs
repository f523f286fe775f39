// What telemetry costs: throughput with it over throughput without, on stacks of their own, one after the other.
import { onStack, quantile, sorted, spread, throughput } from './load.mjs';

const WARM_UP_JOBS = 5_000;

const rateOf = ({ jobs, concurrency }, env) =>
  onStack({ concurrency, env }, async (stack, database) => {
    await throughput(stack, database, Math.min(jobs, WARM_UP_JOBS));
    const rates = [await throughput(stack, database, jobs), await throughput(stack, database, jobs)];
    return Math.max(...rates);
  });

export async function measureTelemetry(options) {
  const pairs = [];
  for (let pair = 1; pair <= options.pairs; pair += 1) {
    // Which of the two goes first changes, since the machine may get slower or faster meanwhile.
    const measured = {};
    for (const side of pair % 2 === 0 ? ['on', 'off'] : ['off', 'on']) {
      measured[side] = await rateOf(options, side === 'off' ? { SLUICE_INTERNAL_TELEMETRY: 'false' } : {});
    }
    pairs.push(measured);
    console.log(`pair ${pair}: ${measured.on.toFixed(0)} jobs/s with, ${measured.off.toFixed(0)} without`);
  }
  return { jobs: options.jobs, concurrency: options.concurrency, pairs };
}

export function printTelemetry({ jobs, pairs }) {
  const ratios = pairs.map(({ on, off }) => on / off);
  console.log(
    `\n${jobs} three-step jobs a run, the better of 2 runs on each stack, ${pairs.length} pairs; median (min–max)`,
  );
  console.log(`  with telemetry     ${spread(pairs.map(({ on }) => on))} jobs/s`);
  console.log(`  without            ${spread(pairs.map(({ off }) => off))} jobs/s`);
  console.log(
    `  ratio              ${spread(ratios, 2)}, median of the ratios ${quantile(sorted(ratios), 0.5).toFixed(2)}`,
  );
}
