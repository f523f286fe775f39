import { setTimeout as pause } from 'node:timers/promises';
import type { JobView } from '#shared/contracts/job';
import { resourceStatus, type ResourceStatus } from '#shared/contracts/resource-status';
import type { DemoClient } from './demo-client';

/** Workers tell about once a second what they have done, the metrics service adds it up at once. */
const LIMIT_MS = 20_000;
const LOOK_EVERY_MS = 250;

type StepFigures = ResourceStatus['metrics']['steps'][string];

/** Prints what the attempts of a job's steps have used, as the metrics service has it. @throws when it has nothing in time */
export async function printResources(client: DemoClient, job: JobView, print: (line: string) => void): Promise<void> {
  const { metrics, workers } = await untilCounted(client, job);
  for (const { name } of job.steps) {
    const { attempts, duration_seconds: duration, cpu_percent: cpu, memory_mb: memory } = stepOf(metrics, name);
    const figures = [`${shown(duration.avg, 2)} s`, `CPU ${shown(cpu.avg, 0)} %`, `${shown(memory.max, 0)} MB`];
    print(`    step ${name.padEnd(16)} ${attempts} attempt${attempts === 1 ? '' : 's'}, ${figures.join(', ')}`);
  }
  const alive = workers.filter(({ status }) => status === 'alive');
  print(
    `    ${alive.length} worker${alive.length === 1 ? '' : 's'} alive, ${metrics.job_count} job ended in the last hour`,
  );
}

async function untilCounted(client: DemoClient, job: JobView): Promise<ResourceStatus> {
  for (const endMs = performance.now() + LIMIT_MS; ; await pause(LOOK_EVERY_MS)) {
    const status = await client.get('/v1/ingest/resource_status', resourceStatus);
    const { steps, job_count: jobs } = status.metrics;
    const isThere = job.steps.every(({ name }) => (steps[name]?.attempts ?? 0) > 0) && jobs > 0;
    if (isThere && !status.stale) return status;
    if (performance.now() > endMs) throw new Error('the metrics service does not show what the steps have used');
  }
}

function stepOf({ steps }: ResourceStatus['metrics'], name: string): StepFigures {
  const figures = steps[name];
  if (!figures) throw new Error(`resource_status has no figures of the step ${name}`);
  return figures;
}

/** A figure that is missing is what the demo is there to find. */
function shown(figure: number | null, digits: number): string {
  if (figure === null) throw new Error('resource_status has a figure that is null');
  return figure.toFixed(digits);
}
