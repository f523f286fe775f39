import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';

/** Which servers the launcher brings up: those that no address names, all of them, or none. */
export type EmbeddedServers = 'missing' | 'all' | 'none';

export interface LauncherOptions {
  /** The gateway's; 0 = a free one. */
  readonly port: number;
  /** Absolute. */
  readonly dataFolder: string;
  /** Absolute; undefined leaves it to the services. */
  readonly configFile?: string;
  /** Worker processes. */
  readonly workers: number;
  /** Slots of each worker; undefined leaves it to the workers. */
  readonly concurrency?: number;
  readonly embedded: EmbeddedServers;
}

interface ParsedFlags {
  readonly port: number;
  readonly dataDir: string;
  readonly config?: string;
  readonly workers: number;
  readonly concurrency?: number;
  readonly embedded?: boolean;
}

/**
 * Reads the command line of `npm start`. `--help` prints the options and ends the process with 0, a mistake says what
 * was expected and ends it with 2.
 * @param args without program and script
 */
export function parseLauncherOptions(args: readonly string[], env: NodeJS.ProcessEnv): LauncherOptions {
  const command = new Command('npm start --')
    .description('Starts Sluice: the servers that are not named, then the four services, and keeps them running.')
    .option('--port <port>', "the gateway's port; 0 takes a free one", whole(0, 65_535), portOf(env))
    .option('--data-dir <folder>', 'where the embedded servers keep their data', '.sluice/data')
    .option('--config <file>', 'the pipelines (default: SLUICE_CONFIG, or pipeline_config.yml)')
    .option('--workers <n>', 'worker processes', whole(1, 64), 1)
    .option('--concurrency <slots>', 'turns that each worker runs at once', whole(1, 1_000))
    .option('--embedded', 'bring up Postgres and nats-server even where DATABASE_URL and NATS_URL name some')
    .option('--no-embedded', 'bring up no servers: DATABASE_URL and NATS_URL must name them')
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  // Otherwise the mere presence of --no-embedded would make --embedded the default.
  command.setOptionValue('embedded', undefined);
  const flags = command.parse([...args], { from: 'user' }).opts<ParsedFlags>();
  const embedded = flags.embedded === undefined ? 'missing' : flags.embedded ? 'all' : 'none';
  const unnamed = ['DATABASE_URL', 'NATS_URL'].filter((name) => !env[name]);
  if (embedded === 'none' && unnamed.length > 0) command.error(`error: --no-embedded needs ${unnamed.join(' and ')}`);
  return {
    port: flags.port,
    dataFolder: resolve(flags.dataDir),
    configFile: flags.config === undefined ? undefined : resolve(flags.config),
    workers: flags.workers,
    concurrency: flags.concurrency,
    embedded,
  };
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

function portOf(env: NodeJS.ProcessEnv): number {
  return /^\d{1,5}$/.test(env.PORT ?? '') ? Number(env.PORT) : 3000;
}
