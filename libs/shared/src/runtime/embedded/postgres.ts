import { rm } from 'node:fs/promises';
import { findFreePort } from './free-port';
import { describeExit, endProcess, type GuardedProcess, type ProcessExit, spawnGuarded, withinMs } from './guardian';
import { LineTail, readLines } from './line-tail';
import { pause } from './pause';
import { findPostgresBinaries, postgresProgram } from './postgres-binaries';
import {
  clusterPaths,
  DATABASE,
  ensureCluster,
  readLockFile,
  readPassword,
  SUPERUSER,
  writeSettings,
} from './postgres-cluster';
import { placePostgres, type PostgresPlacement } from './postgres-placement';
import { DURABLE_SETTINGS, type PostgresSettings, THROWAWAY_SETTINGS } from './postgres-settings';
import { commandLineOf } from './process-identity';

const HOST = '127.0.0.1';
const POLL_MS = 25;
/** Recovery after a crash replays what was written since the last checkpoint. */
const READY_LIMIT_MS = 180_000;
const NEW_PORT_TRIES = 5;
const FAST_STOP_MS = 10_000;
const IMMEDIATE_STOP_MS = 3_000;
const ORPHAN_GRACE_MS = 5_000;

export interface EmbeddedPostgresOptions {
  /** For everything that belongs to this server; made when it is not there. */
  readonly folder: string;
  /** By default a free one. */
  readonly port?: number;
  /** True for tests: a power cut may spoil the data, a killed process may not. */
  readonly throwaway?: boolean;
  /** Over the defaults. */
  readonly settings?: PostgresSettings;
  /** How long to wait for a server that still runs on this data, as after a kill of its owner. Default 10 s. */
  readonly previousGoneWithinMs?: number;
  /** Run as `nobody` even where root could use a user namespace. */
  readonly forceNobody?: boolean;
  /** Gets each line that the server logs. */
  readonly onLine?: (line: string) => void;
}

export interface EmbeddedPostgres {
  /** `postgres://…`, password included, naming the database `sluice`. */
  readonly url: string;
  readonly port: number;
  /** The postmaster's. */
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<ProcessExit>;
  /** Ends all connections and the server, its data complete; as after a crash when that takes longer than `limitMs`. */
  stop(limitMs?: number): Promise<ProcessExit>;
  /** Signals the postmaster. SIGQUIT is the immediate stop, like a crash. */
  kill(signal: NodeJS.Signals): boolean;
}

/**
 * Starts Postgres on `folder`'s data, made on the first start, and waits until it takes connections.
 * It listens on loopback only and dies with this process. What a crash or a kill left behind is recovered.
 * @throws when another server runs on the data, or this one does not come up; the message has the reason
 */
export async function startPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const placement = await placePostgres(options.folder, options.forceNobody);
  const { version } = await findPostgresBinaries();
  await ensureCluster(placement, version, !options.throwaway);
  await writeSettings(placement, {
    ...DURABLE_SETTINGS,
    ...(options.throwaway ? THROWAWAY_SETTINGS : {}),
    ...options.settings,
  });
  const previousGoneBy = performance.now() + (options.previousGoneWithinMs ?? 10_000);
  await waitForPreviousServer(placement, previousGoneBy);
  for (let tries = 1; ; tries++) {
    const port = options.port ?? (await findFreePort(HOST));
    const tail = new LineTail();
    const server = await spawnServer(placement, port, (line) => {
      tail.add(line);
      options.onLine?.(line);
    });
    if (await becomesReady(server, placement)) return embeddedPostgres(server, port, await readPassword(placement));
    const words = tail.toString();
    const portTaken = /could not bind|Address (already )?in use/.test(words);
    const oldBackends = /shared memory block .* is still in use/.test(words) && performance.now() < previousGoneBy;
    if (oldBackends) await pause(POLL_MS * 10);
    else if (!portTaken || options.port !== undefined || tries >= NEW_PORT_TRIES) {
      throw new Error(`Postgres did not start on port ${port}: ${describeExit(await server.exited)}\n${words}`);
    }
  }
}

function spawnServer(
  placement: PostgresPlacement,
  port: number,
  onLine: (line: string) => void,
): Promise<GuardedProcess> {
  const program = postgresProgram(placement.nativeFolder, 'postgres');
  const [first, ...rest] = [...placement.prefix, program, '-D', clusterPaths(placement).data, '-p', String(port)];
  const spawned = spawnGuarded({
    argv: [first, ...rest],
    cwd: '/',
    user: placement.user,
    orphanSignal: 'SIGINT',
    orphanGraceMs: ORPHAN_GRACE_MS,
  });
  return spawned.then((server) => {
    readLines(server.stdout, onLine);
    readLines(server.stderr, onLine);
    return server;
  });
}

/**
 * True once the server takes connections; false when it ended instead.
 * It is asked the way pg_ctl asks: its lock file says so, and says whose it is, so that another server on the same
 * port is never taken for this one.
 */
async function becomesReady(server: GuardedProcess, placement: PostgresPlacement): Promise<boolean> {
  const giveUpAt = performance.now() + READY_LIMIT_MS;
  while (performance.now() < giveUpAt) {
    const lock = await readLockFile(placement);
    if (lock?.pid === server.pid && lock.status === 'ready') return true;
    if (await withinMs(server.exited, POLL_MS)) return false;
  }
  await endProcess(server, [{ signal: 'SIGQUIT', waitMs: IMMEDIATE_STOP_MS }]);
  return false;
}

function embeddedPostgres(server: GuardedProcess, port: number, password: string): EmbeddedPostgres {
  return {
    url: `postgres://${SUPERUSER}:${password}@${HOST}:${port}/${DATABASE}`,
    port,
    pid: server.pid,
    exited: server.exited,
    kill: server.kill,
    stop: (limitMs = FAST_STOP_MS) =>
      endProcess(server, [
        { signal: 'SIGINT', waitMs: limitMs },
        { signal: 'SIGQUIT', waitMs: IMMEDIATE_STOP_MS },
      ]),
  };
}

/**
 * Two servers on the same files would destroy them, and Postgres refuses to start while the pid in its lock file
 * is anybody's. So: wait for a Postgres that still runs there, and remove the lock of one that is gone.
 */
async function waitForPreviousServer(placement: PostgresPlacement, goneBy: number): Promise<void> {
  const { data, lockFile } = clusterPaths(placement);
  for (;;) {
    const lock = await readLockFile(placement);
    if (lock === undefined) return;
    const command = await commandLineOf(lock.pid);
    if (!command?.includes('postgres') || !command.includes(data)) return rm(lockFile, { force: true });
    if (performance.now() >= goneBy) {
      throw new Error(`the data in ${data} is in use by the Postgres server with pid ${lock.pid}. \
Stop it first, or choose another data folder.`);
    }
    await pause(POLL_MS * 4);
  }
}
