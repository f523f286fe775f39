// The main job's figures: throughput through the batch call, latency at a steady rate, what it costs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  markNow,
  onStack,
  quantiles,
  quantileWords,
  sorted,
  spread,
  submitSteadily,
  throughput,
  untilDone,
} from './load.mjs';
import { printProfiles } from './profile.mjs';
import { cpuSeconds, peakMemoryMb } from './usage.mjs';

async function latency(stack, database, perSecond, forSeconds) {
  const mark = await markNow(database);
  const sentAt = await submitSteadily(stack, perSecond, forSeconds, { pipeline: 'noop3' });
  await untilDone(database, mark, 60_000);
  const { rows } = await database.query(
    `SELECT id, extract(epoch FROM completed_at)::float8 * 1000 AS done_ms FROM jobs WHERE id = ANY ($1) AND status = 'completed'`,
    [[...sentAt.keys()]],
  );
  if (rows.length !== perSecond * forSeconds)
    throw new Error(`${rows.length} of ${perSecond * forSeconds} jobs completed`);
  return quantiles(sorted(rows.map((row) => row.done_ms - sentAt.get(row.id))));
}

const processesOf = (stack) => [...stack.services, ...stack.servers].map(({ name, pid }) => ({ name, pid }));

export function measureMainJob({ jobs, runs, rate, seconds, concurrency }) {
  return onStack({ concurrency }, async (stack, database) => {
    await throughput(stack, database, Math.min(jobs, 5_000));
    await latency(stack, database, rate, 2);
    const before_load = await latency(stack, database, rate, seconds);
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
    const after_load = await latency(stack, database, rate, seconds);
    return {
      ...{ jobs, runs, concurrency, rate, seconds },
      jobs_per_second: rates,
      latency_ms: { before_load, after_load },
      processes: cost.map(({ name, cpu }) => ({
        name,
        cpu_seconds_per_1000_jobs: cpu,
        peak_memory_mb: peakMemoryMb(processes.find((process) => process.name === name).pid),
      })),
    };
  });
}

export function printMainJob({ jobs, runs, concurrency, rate, jobs_per_second, latency_ms, processes }) {
  console.log(
    `\n${jobs} three-step jobs a run, ${runs} runs, one worker process with ${concurrency} slots; median (min–max)`,
  );
  console.log(`  throughput     ${spread(jobs_per_second)} jobs/s`);
  for (const [when, figures] of Object.entries(latency_ms)) {
    const words = `submission to completion at ${rate} jobs/s, ${when.replace('_', ' ')}`;
    console.log(`  latency        ${quantileWords(figures)}, ${words}`);
  }
  console.log('  process         CPU s per 1,000 jobs   peak MB');
  for (const { name, cpu_seconds_per_1000_jobs: cpu, peak_memory_mb: memory } of processes) {
    console.log(`  ${name.padEnd(16)}${cpu.toFixed(3).padStart(16)}${memory.toFixed(0).padStart(14)}`);
  }
}

/** A run with CPU profiles of the services, printed by function. */
export async function profileMainJob({ jobs, concurrency }) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-profile-'));
  await onStack({ concurrency, profileFolder: folder }, (stack, database) => throughput(stack, database, jobs));
  printProfiles(folder);
  await rm(folder, { recursive: true, force: true });
}
