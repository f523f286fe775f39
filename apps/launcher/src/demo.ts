import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pico from 'picocolors';
import { jobView } from '#shared/contracts/job';
import { LineTail } from '#shared/runtime/embedded/line-tail';
import { removePlacement } from '#shared/runtime/embedded/postgres-placement';
import { projectFolder } from '#shared/runtime/embedded/project-folder';
import { migrate } from '#shared/store/migrate';
import { DemoClient } from './demo-client';
import { printFindings, printSearch } from './demo-findings';
import { followJob } from './demo-follow';
import { printResources } from './demo-resources';
import { listenForParting } from './parting';
import { Stack } from './stack';
import { builtMainOf } from './stack-plan';

const GRACE_MS = 5_000;
const KEPT_LINES = 40;

/**
 * `npm run demo`: takes the project itself through the pipeline `repository`, shows what was found, and leaves neither a
 * process nor a file behind. Ends the process with 0, with 1 when anything fails, with 130 when it is interrupted.
 * @param buildMs how long the build took, which came before
 */
export async function demo(buildMs: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
  const output = new LineTail(KEPT_LINES);
  const stack = prepareStack(folder, output);
  const parting = { begun: false };
  const leave = async (code: number): Promise<never> => {
    await removePlacement(join(folder, 'postgres'));
    await rm(folder, { recursive: true, force: true });
    process.exit(code);
  };
  const endAtOnce = (): void => {
    parting.begun = true;
    void stack.kill().finally(() => leave(130));
  };
  listenForParting({ onEnd: endAtOnce, onEndAtOnce: () => undefined });
  try {
    print(pico.bold('Sluice takes its own repository into a knowledge graph'));
    printPhase('build', buildMs);
    await run(stack);
    await leave(0);
  } catch (error) {
    if (parting.begun) return;
    parting.begun = true;
    print(pico.red(`failed: ${error instanceof Error ? error.message : String(error)}`));
    print(`the last lines of servers and services:\n${output.toString()}`);
    await stack.kill().catch(() => undefined);
    await leave(1);
  }
}

async function run(stack: Stack): Promise<void> {
  await phase('servers', () => stack.startServers());
  await phase('migrate', () => stack.migrate());
  await phase('services', () => stack.startServices());
  const client = new DemoClient(stack.url);
  const job = await phase('ingest', async () => {
    const submitted = await client.post('/v1/ingest', { pipeline: 'repository', source: projectFolder() }, jobView);
    return followJob(client, submitted.id);
  });
  if (job.status !== 'completed')
    throw new Error(`the job is ${job.status}: ${job.last_error?.message ?? 'no reason'}`);
  await phase('findings', () => printFindings(client, job, print));
  await phase('query', () => printSearch(client, job, print));
  await phase('resources', () => printResources(client, job, print));
  await phase('stop', () => stack.stop());
}

function prepareStack(folder: string, output: LineTail): Stack {
  return new Stack({
    dataFolder: folder,
    host: '127.0.0.1',
    gatewayPort: 0,
    workers: 1,
    embedded: 'all',
    env: demoEnvironment(),
    graceMs: GRACE_MS,
    throwaway: false,
    mainOf: builtMainOf,
    migrate,
    say: (line) => print(pico.dim(`    ${line}`)),
    onLine: (name, line) => output.add(`${name}: ${line}`),
  });
}

/** Whatever Sluice is set up for here, keys and roots included, the demo does as it always does. */
function demoEnvironment(): NodeJS.ProcessEnv {
  const foreign = ([name]: [string, unknown]): boolean => !name.startsWith('SLUICE_') || name === 'SLUICE_CACHE_DIR';
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(foreign)),
    SLUICE_CONFIG: join(projectFolder(), 'pipeline_config.yml'),
    SLUICE_SOURCE_ROOTS: projectFolder(),
    SLUICE_GRACE: `${GRACE_MS / 1000}s`,
  };
}

async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  printPhase(name, performance.now() - startedAt);
  return result;
}

function printPhase(name: string, durationMs: number): void {
  print(`${pico.green('✔')} ${name.padEnd(10)} ${(durationMs / 1000).toFixed(1)} s`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
