// What telemetry costs: throughput with it over throughput without, on two stacks that take turns.
import { onStacks, spread, throughput, turns } from './load.mjs';

const WARM_UP_JOBS = 5_000;

export function measureTelemetry({ jobs, concurrency, pairs: count }) {
  const stacks = { on: { concurrency }, off: { concurrency, env: { SLUICE_INTERNAL_TELEMETRY: 'false' } } };
  return onStacks(stacks, async (sides) => {
    for (const { stack, database } of Object.values(sides)) await throughput(stack, database, WARM_UP_JOBS);
    const pairs = [];
    for (let pair = 1; pair <= count; pair += 1) {
      const measured = {};
      for (const side of turns(['on', 'off'], pair)) {
        const { stack, database } = sides[side];
        measured[side] = await throughput(stack, database, jobs);
      }
      pairs.push(measured);
      console.log(`pair ${pair}: ${measured.on.toFixed(0)} jobs/s with, ${measured.off.toFixed(0)} without`);
    }
    return { jobs, concurrency, pairs };
  });
}

export function printTelemetry({ jobs, pairs }) {
  console.log(`\n${jobs} three-step jobs a run, ${pairs.length} pairs of runs; median (min–max)`);
  console.log(`  with telemetry     ${spread(pairs.map(({ on }) => on))} jobs/s`);
  console.log(`  without            ${spread(pairs.map(({ off }) => off))} jobs/s`);
  const ratios = pairs.map(({ on, off }) => on / off);
  console.log(`  ratio of a pair    ${spread(ratios, 2)}`);
}
