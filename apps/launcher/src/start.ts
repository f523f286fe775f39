import pico from 'picocolors';
import { parseDuration } from '#shared/domain/duration';
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
  const say = (line: string): void => printLine('sluice', line);
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
  // Whoever read the output is gone: no reason to end.
  process.stdout.on('error', () => undefined);
  let ending = false;
  listenForParting({
    onEnd: (reason) => {
      ending = true;
      say(`${reason}: finishing what runs; once more ends at once`);
      void stack.stop().then(
        () => endProcess(say, 0),
        (error: Error) => endProcess(say, 1, error),
      );
    },
    onEndAtOnce: () => {
      say('ending at once');
      void stack.kill().then(() => process.exit(130));
    },
  });
  try {
    await bringUp(stack, say);
  } catch (error) {
    if (ending) return;
    ending = true;
    await stack.kill().catch(() => undefined);
    endProcess(say, exitCodeOf(error), error as Error);
  }
}

async function bringUp(stack: Stack, say: (line: string) => void): Promise<void> {
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
    console.error(`SLUICE_GRACE: ${(error as Error).message}`);
    process.exit(2);
  }
}

/** A service that ends with 2 was told something wrong: then so were we. */
function exitCodeOf(error: unknown): number {
  return error instanceof Error && 'exitCode' in error && error.exitCode === 2 ? 2 : 1;
}

function endProcess(say: (line: string) => void, code: number, error?: Error): void {
  say(error ? error.message : 'ended');
  process.exit(code);
}

function printLine(name: string, line: string): void {
  process.stdout.write(`${pico.dim(`${name.padEnd(NAME_WIDTH)} |`)} ${line}\n`);
}
