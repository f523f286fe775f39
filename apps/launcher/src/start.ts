import pico from 'picocolors';
import { resolve } from 'node:path';
import { parseDuration } from '#shared/domain/duration';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { loadPipelineFile } from '#shared/runtime/pipeline-file';
import { migrate } from '#shared/store/migrate';
import { type LauncherOptions, parseLauncherOptions } from './launcher-options';
import { listenForParting } from './parting';
import { Stack } from './stack';
import { builtMainOf } from './stack-plan';

const NAME_WIDTH = 'step-worker-10'.length;
const DEFAULT_GRACE = '30s';

/**
 * `npm start`: brings everything up, keeps it running, and ends it with nothing left behind.
 * Ends the process with 0 after Ctrl-C or SIGTERM, 130 after a second one, 1 when something does not come up, 2 when it
 * was told something wrong.
 * @param args the command line without program and script
 */
export async function start(args: readonly string[]): Promise<void> {
  const options = parseLauncherOptions(args, process.env);
  // Whoever read the output is gone: no reason to end.
  process.stdout.on('error', () => undefined);
  const stack = new Stack({
    ...options,
    gatewayPort: options.port,
    host: process.env.SLUICE_HOST || '127.0.0.1',
    env: serviceEnvironment(options),
    graceMs: graceMs(),
    throwaway: false,
    mainOf: builtMainOf,
    migrate,
    say,
    onLine: printLine,
  });
  const parting = { begun: false, atOnce: false };
  listenForParting({
    onEnd: (reason) => {
      parting.begun = true;
      say(`${reason}: finishing what runs; once more ends at once`);
      void stack.stop().then(
        () => leaveUnless(parting.atOnce, 0, 'ended'),
        (error: unknown) => leaveUnless(parting.atOnce, 1, reasonOf(error)),
      );
    },
    onEndAtOnce: () => {
      parting.atOnce = true;
      say('ending at once');
      void stack.kill().then(() => process.exit(130));
    },
  });
  try {
    await checkPipelines(options);
    await bringUp(stack);
  } catch (error) {
    // What is told to end while it starts fails to start: that is no news.
    if (parting.begun) return;
    parting.begun = true;
    say(reasonOf(error));
    await stack.kill().catch(() => undefined);
    leave(exitCodeOf(error), 'nothing is left running');
  }
}

async function bringUp(stack: Stack): Promise<void> {
  say('starting the servers');
  await stack.startServers();
  say('bringing the tables up to date');
  await stack.migrate();
  say('starting the services');
  await stack.startServices();
  const { services, servers } = stack.status();
  for (const { name, pid, url } of services) say(`  ${name.padEnd(NAME_WIDTH)} ${url}  pid ${pid}`);
  for (const { name, pid, port, monitoring } of servers) {
    const more = monitoring ? `  monitoring ${monitoring}` : '';
    say(`  ${name.padEnd(NAME_WIDTH)} 127.0.0.1:${port}  pid ${pid}${more}`);
  }
  say(`ready at ${stack.url}`);
}

/** Before anything is started: each service would say the same, in a line of its own. */
async function checkPipelines({ configFile }: LauncherOptions): Promise<void> {
  const { catalog } = await knownHandlers(process.env.SLUICE_INTERNAL_HANDLERS ?? null);
  await loadPipelineFile(resolve(configFile ?? (process.env.SLUICE_CONFIG || 'pipeline_config.yml')), catalog);
}

function serviceEnvironment(options: LauncherOptions): NodeJS.ProcessEnv {
  const env = { ...process.env };
  if (options.configFile !== undefined) env.SLUICE_CONFIG = options.configFile;
  if (options.concurrency !== undefined) env.SLUICE_CONCURRENCY = String(options.concurrency);
  return env;
}

function graceMs(): number {
  try {
    return parseDuration(process.env.SLUICE_GRACE || DEFAULT_GRACE);
  } catch (error) {
    say(`SLUICE_GRACE: ${reasonOf(error)}`);
    process.exit(2);
  }
}

/** A service that ends with 2 was told something wrong: then so were we. */
function exitCodeOf(error: unknown): number {
  return error instanceof Error && 'exitCode' in error && error.exitCode === 2 ? 2 : 1;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is killed while it ends has ended too: that is not how this ended. */
function leaveUnless(isLeaving: boolean, code: number, lastWord: string): void {
  if (!isLeaving) leave(code, lastWord);
}

function leave(code: number, lastWord: string): void {
  say(lastWord);
  process.exit(code);
}

function say(line: string): void {
  printLine('sluice', line);
}

function printLine(name: string, line: string): void {
  process.stdout.write(`${pico.dim(`${name.padEnd(NAME_WIDTH)} |`)} ${line}\n`);
}
