import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from './free-port';
import { describeExit, endProcess, type GuardedProcess, type ProcessExit, spawnGuarded, withinMs } from './guardian';
import { LineTail, readLines } from './line-tail';
import { pause } from './pause';
import { commandLineOf } from './process-identity';

const HOST = '127.0.0.1';
const POLL_MS = 25;
const PROBE_LIMIT_MS = 1_000;
/** A large store is read through at the start. */
const READY_LIMIT_MS = 120_000;
const NEW_PORT_TRIES = 5;
const STOP_MS = 5_000;
const ORPHAN_GRACE_MS = 3_000;

export interface EmbeddedNatsOptions {
  /** A nats-server program, see `findNatsServer`. */
  readonly program: string;
  /** For everything that belongs to this server; made when it is not there. JetStream's store is `jetstream` in it. */
  readonly folder: string;
  /** By default free ones. */
  readonly port?: number;
  readonly monitorPort?: number;
  /** How long to wait for a server that still runs on this store, as after a kill of its owner. Default 10 s. */
  readonly previousGoneWithinMs?: number;
  /** Gets each line that the server logs. */
  readonly onLine?: (line: string) => void;
}

export interface EmbeddedNats {
  readonly url: string;
  readonly port: number;
  readonly monitorUrl: string;
  readonly monitorPort: number;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<ProcessExit>;
  /** Ends the server, its store complete; kills it when that takes longer than `limitMs`. */
  stop(limitMs?: number): Promise<ProcessExit>;
  kill(signal: NodeJS.Signals): boolean;
}

interface Ports {
  readonly port: number;
  readonly monitorPort: number;
}

/**
 * Starts nats-server with JetStream on file store and waits until it has read its store.
 * It listens on loopback only and dies with this process.
 * @throws when another server runs on the store, or this one does not come up; the message has the reason
 */
export async function startNatsServer(options: EmbeddedNatsOptions): Promise<EmbeddedNats> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const folder = await realpath(options.folder);
  await waitForPreviousServer(folder, performance.now() + (options.previousGoneWithinMs ?? 10_000));
  for (let tries = 1; ; tries++) {
    const ports: Ports = {
      port: options.port ?? (await findFreePort(HOST)),
      monitorPort: options.monitorPort ?? (await findFreePort(HOST)),
    };
    const tail = new LineTail();
    const configFile = join(folder, 'nats-server.conf');
    await writeFile(configFile, configText(folder, ports), { mode: 0o600 });
    const server = await spawnGuarded({
      argv: [options.program, '--config', configFile],
      cwd: '/',
      orphanSignal: 'SIGTERM',
      orphanGraceMs: ORPHAN_GRACE_MS,
    });
    for (const stream of [server.stdout, server.stderr]) {
      readLines(stream, (line) => {
        tail.add(line);
        options.onLine?.(line);
      });
    }
    if (await becomesReady(server, folder, ports)) return embeddedNats(server, ports);
    const words = tail.toString();
    const mayMove = options.port === undefined && tries < NEW_PORT_TRIES;
    if (!mayMove || !words.includes('address already in use')) {
      throw new Error(
        `nats-server did not start on port ${ports.port}: ${describeExit(await server.exited)}\n${words}`,
      );
    }
  }
}

function configText(folder: string, { port, monitorPort }: Ports): string {
  const quote = (path: string): string => JSON.stringify(path);
  return `# Written at every start of the embedded server; changes made here are lost.
server_name: "sluice-embedded"
listen: "${HOST}:${port}"
http: "${HOST}:${monitorPort}"
pid_file: ${quote(pidFile(folder))}
jetstream {
  store_dir: ${quote(folder)}
}
`;
}

function embeddedNats(server: GuardedProcess, { port, monitorPort }: Ports): EmbeddedNats {
  return {
    url: `nats://${HOST}:${port}`,
    port,
    monitorUrl: `http://${HOST}:${monitorPort}`,
    monitorPort,
    pid: server.pid,
    exited: server.exited,
    kill: server.kill,
    stop: (limitMs = STOP_MS) => endProcess(server, [{ signal: 'SIGTERM', waitMs: limitMs }]),
  };
}

/** True once JetStream is usable; false when the server ended instead. */
async function becomesReady(server: GuardedProcess, folder: string, { monitorPort }: Ports): Promise<boolean> {
  const giveUpAt = performance.now() + READY_LIMIT_MS;
  while (performance.now() < giveUpAt) {
    // Another server may have the ports: only the one whose pid this folder names is ours.
    const isOurs = (await readPid(folder)) === server.pid;
    if (isOurs && (await isHealthy(monitorPort))) return true;
    if (await withinMs(server.exited, POLL_MS)) return false;
  }
  await endProcess(server, []);
  return false;
}

async function isHealthy(monitorPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://${HOST}:${monitorPort}/healthz`, {
      signal: AbortSignal.timeout(PROBE_LIMIT_MS),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Two servers on one store would destroy it, and nats-server takes no lock of its own. */
async function waitForPreviousServer(folder: string, goneBy: number): Promise<void> {
  for (;;) {
    const pid = await readPid(folder);
    const command = pid === undefined ? undefined : await commandLineOf(pid);
    if (!command?.includes(folder)) return rm(pidFile(folder), { force: true });
    if (performance.now() >= goneBy) {
      throw new Error(`the store in ${folder} is in use by the nats-server with pid ${pid}. \
Stop it first, or choose another data folder.`);
    }
    await pause(POLL_MS * 4);
  }
}

function pidFile(folder: string): string {
  return join(folder, 'nats-server.pid');
}

async function readPid(folder: string): Promise<number | undefined> {
  try {
    return Number(await readFile(pidFile(folder), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
