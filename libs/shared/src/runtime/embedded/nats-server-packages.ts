import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describeExit, endProcess, spawnGuarded, withinMs } from './guardian';
import { readLines } from './line-tail';

const run = promisify(execFile);

const CONNECT_LIMIT_MS = 10_000;
const COMPILE_LIMIT_MS = 900_000;
const STILL_AT_IT_MS = 15_000;

interface Surroundings {
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** Tells whether `version` is below 2.`minor`. */
export function isTooOld(version: string, minor: number): boolean {
  const [major = 0, actualMinor = 0] = version.split('.').map(Number);
  return major < 2 || (major === 2 && actualMinor < minor);
}

/**
 * Builds nats-server with the Go that is installed.
 * Starts at the same time build side by side and each puts its result in place whole; the last one stays.
 * @param target where the program goes
 * @returns `target`
 * @throws when Go is not there, its module proxy cannot be reached, or the build fails
 */
export async function installWithGo(version: string, target: string, around: Surroundings): Promise<string> {
  const work = await mkdtemp(join(around.cache, 'go-'));
  const env = goEnvironment(around, work);
  try {
    const { stdout } = await run('go', ['version'], { env }).catch(() => ({ stdout: '' }));
    if (!stdout) throw new Error('Go is not installed');
    if (!(await goProxyAnswers(env))) env.GOPROXY = 'off';
    around.say(`nats-server: building ${version} with ${stdout.trim()}; this may take some minutes, once`);
    await build(['install', `github.com/nats-io/nats-server/v2@v${version}`], env, around.say);
    await rename(join(work, 'nats-server'), target);
    return target;
  } finally {
    // Go makes its module cache read-only, so a private one is opened up before it can be removed.
    await run('chmod', ['-R', 'u+w', work]).catch(() => undefined);
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Takes nats-server out of the system's own package without installing it, which needs no root.
 * @throws when there is no apt-get, no such package, or no package list
 */
export async function installFromAptPackage(target: string, around: Surroundings): Promise<string> {
  const work = await mkdtemp(join(around.cache, 'apt-'));
  try {
    await downloadAptPackage(work, around.env);
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (!archive) throw new Error('apt-get download brought nothing');
    await run('dpkg', ['-x', archive, 'unpacked'], { cwd: work, env: around.env });
    const program = await firstOf(work, ['unpacked/usr/sbin/nats-server', 'unpacked/usr/bin/nats-server']);
    await chmod(program, 0o755);
    await rename(program, target);
    around.say('nats-server: taken from the system package, which may be old');
    return target;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function goEnvironment(around: Surroundings, work: string): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...around.env, GOBIN: work, CGO_ENABLED: '0' };
  // Go refuses GOBIN when asked to build for another system.
  delete env.GOOS;
  delete env.GOARCH;
  if (!env.HOME) {
    env.GOCACHE ??= join(work, 'build');
    env.GOPATH ??= join(work, 'path');
  }
  return env;
}

/** Go itself waits long for a network that swallows packets; so its proxy is tried first. */
async function goProxyAnswers(env: NodeJS.ProcessEnv): Promise<boolean> {
  if (env.HTTPS_PROXY || env.https_proxy) return true;
  const { stdout } = await run('go', ['env', 'GOPROXY'], { env });
  const proxy = stdout.trim().split(/[,|]/)[0] ?? '';
  if (!/^https?:/.test(proxy)) return true;
  const url = new URL(proxy);
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port, timeout: CONNECT_LIMIT_MS });
    const settle = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}

async function build(args: readonly string[], env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  const stillAtIt = setInterval(() => {
    say(`nats-server: still building (${Math.round((performance.now() - startedAt) / 1000)} s)`);
  }, STILL_AT_IT_MS);
  try {
    const go = await spawnGuarded({ argv: ['go', ...args], env, orphanSignal: 'SIGKILL', orphanGraceMs: 0 });
    let lastWords = '';
    for (const stream of [go.stdout, go.stderr]) readLines(stream, (line) => (lastWords = line));
    const exit = (await withinMs(go.exited, COMPILE_LIMIT_MS)) ?? (await endProcess(go, []));
    if (exit.code !== 0) throw new Error(lastWords || `go ended with ${describeExit(exit)}`);
  } finally {
    clearInterval(stillAtIt);
  }
}

/** The system's package lists may be missing or not ours to fill: then private ones are fetched for this once. */
async function downloadAptPackage(work: string, env: NodeJS.ProcessEnv): Promise<void> {
  const options = ['-o', 'Acquire::http::Timeout=10', '-o', 'Acquire::https::Timeout=10', '-o', 'Acquire::Retries=0'];
  if (process.getuid?.() === 0) options.push('-o', 'APT::Sandbox::User=root');
  const download = [...options, 'download', 'nats-server'];
  try {
    await run('apt-get', download, { cwd: work, env });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('apt-get is not installed');
    const lists = join(work, 'lists');
    const cache = join(work, 'cache');
    await mkdir(join(lists, 'partial'), { recursive: true });
    await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
    const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`];
    await run('apt-get', [...own, ...options, 'update'], { cwd: work, env });
    await run('apt-get', [...own, ...download], { cwd: work, env });
  }
}

async function firstOf(folder: string, candidates: readonly string[]): Promise<string> {
  for (const candidate of candidates) {
    const names = await readdir(join(folder, dirname(candidate))).catch((): string[] => []);
    if (names.includes('nats-server')) return join(folder, candidate);
  }
  throw new Error('the package holds no nats-server');
}
