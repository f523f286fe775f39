import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, constants, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { installFromAptPackage, installWithGo, isTooOld } from './nats-server-packages';
import { cacheFolder } from './project-folder';

const run = promisify(execFile);

/** The release that is brought when none is installed, by download and by `go install` alike. */
const PINNED_VERSION = '2.12.2';
/** The one host that this project names: where the official release lies. */
const RELEASE_ADDRESS = `https://github.com/nats-io/nats-server/releases/download/v${PINNED_VERSION}`;
/**
 * SHA-256 of the official archives, as nats-io's own container recipe for this release pins them.
 * A platform that is not listed here takes the next way: an archive without a known sum is never run.
 */
const RELEASE_SHA256: Readonly<Record<string, string>> = {
  'linux-amd64': 'db587fd8b36ac732a8434e748b026ef77ed9cb714a4e57bd010b1de93c2f3801',
  'linux-arm64': '84d33b50a39bab605b0d5e0223fc15979ef97419b2184a5a5b7eb6a6d7561fc6',
  'linux-arm7': '6f16c8718957c646bb7ea5a6d762492bf78be94018a7057ce36ab9ad550ad32d',
  'linux-386': 'a117846d4495e809a5e42655488f44d0d4044b5a076f7753df759e7e6099f60f',
  'linux-s390x': 'c3812ec35c52c4b9d0b19e848d82586236bd913c056f8c3673f2990b9de8feaa',
  'linux-ppc64le': '2d2f028c8747c606abfd7d653f492d43deb79a387b9643962b09dfb628c57e17',
};
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm7', ppc64: 'ppc64le' };

const RECOMMENDED_MINOR = 10;
const SUPPORTED_MINOR = 9;
const CONNECT_LIMIT_MS = 10_000;
const DOWNLOAD_LIMIT_MS = 300_000;

/** A nats-server program that was tried and runs here. */
export interface NatsServerBinary {
  readonly path: string;
  /** As it names itself, e.g. `2.12.2`. */
  readonly version: string;
}

export interface NatsServerSearch {
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Fetches a release archive; default: over HTTPS. */
  readonly fetchArchive?: (url: string) => Promise<Buffer>;
}

interface Search {
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly fetchArchive: (url: string) => Promise<Buffer>;
}

/**
 * Finds a nats-server program, or brings one into the cache.
 * In order: a current one on PATH, the cache, the pinned official release, `go install` of the same version, the
 * system's package unpacked without installing it, an older one on PATH.
 * @param say told what is done and why a way does not work, one line at a time
 * @throws when every way fails; the message lists what to install
 */
export async function findNatsServer(
  say: (line: string) => void,
  { env = process.env, fetchArchive = fetchOverHttps }: NatsServerSearch = {},
): Promise<NatsServerBinary> {
  const search: Search = { cache: cacheFolder(env), env, say, fetchArchive };
  const onPath = await findOnPath(env);
  if (onPath && !isTooOld(onPath.version, RECOMMENDED_MINOR)) return onPath;
  const found =
    (await findInCache(search)) ??
    (await tryWay(search, 'download', () => downloadRelease(search))) ??
    (await tryWay(search, 'go install', () => installWithGo(PINNED_VERSION, cachedPath(search), search))) ??
    (await tryWay(search, 'system package', () => installFromAptPackage(aptPath(search), search)));
  if (found) return found;
  if (onPath && !isTooOld(onPath.version, SUPPORTED_MINOR)) {
    say(`nats-server ${onPath.version} on PATH is old: 2.${RECOMMENDED_MINOR} or later is recommended`);
    return onPath;
  }
  throw new Error(`no nats-server could be found or brought. Do one of these:
  - put nats-server 2.${RECOMMENDED_MINOR} or later on PATH (the official release, or your system's package)
  - install Go, so that "go install" can build it
  - start NATS with JetStream yourself and name it in NATS_URL
  - put the program at ${cachedPath(search)}`);
}

/** What `nats-server --version` says, or undefined when the program does not run here. */
async function natsServerVersion(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: CONNECT_LIMIT_MS });
    return /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function cachedPath(search: Search): string {
  return join(search.cache, `nats-server-${PINNED_VERSION}`);
}

function aptPath(search: Search): string {
  return join(search.cache, 'nats-server-system-package');
}

async function findOnPath(env: NodeJS.ProcessEnv): Promise<NatsServerBinary | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = join(folder, 'nats-server');
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    const version = isProgram ? await natsServerVersion(path) : undefined;
    if (version) return { path, version };
  }
  return undefined;
}

async function findInCache(search: Search): Promise<NatsServerBinary | undefined> {
  for (const path of [cachedPath(search), aptPath(search)]) {
    const version = await natsServerVersion(path);
    if (version && isTooOld(version, RECOMMENDED_MINOR)) {
      search.say(`the cached nats-server ${version} is old: remove ${path} to look for a newer one`);
    }
    if (version) return { path, version };
  }
  return undefined;
}

/** Runs one way to get the program; what it brought must run here. A way that fails says why, and the next is tried. */
async function tryWay(
  search: Search,
  way: string,
  bring: () => Promise<string>,
): Promise<NatsServerBinary | undefined> {
  try {
    await mkdir(search.cache, { recursive: true });
    const path = await bring();
    const version = await natsServerVersion(path);
    if (!version) throw new Error(`${path} does not run here`);
    search.say(`nats-server ${version}: by ${way}, kept in ${search.cache}`);
    return { path, version };
  } catch (error) {
    search.say(`nats-server: no ${way}: ${reasonOf(error)}`);
    return undefined;
  }
}

async function downloadRelease(search: Search): Promise<string> {
  const platform = `${process.platform}-${GO_ARCHITECTURES[process.arch] ?? process.arch}`;
  const expected = RELEASE_SHA256[platform];
  if (!expected) throw new Error(`no checksum of the ${PINNED_VERSION} release is known for ${platform}`);
  const name = `nats-server-v${PINNED_VERSION}-${platform}`;
  search.say(`nats-server: downloading the official release ${PINNED_VERSION}`);
  const archive = await search.fetchArchive(`${RELEASE_ADDRESS}/${name}.tar.gz`);
  const actual = createHash('sha256').update(archive).digest('hex');
  if (actual !== expected) throw new Error(`its SHA-256 is ${actual}, expected ${expected}`);
  const folder = await mkdtemp(join(search.cache, 'download-'));
  try {
    await writeFile(join(folder, 'archive.tar.gz'), archive);
    await run('tar', ['-xzf', 'archive.tar.gz'], { cwd: folder });
    await rename(join(folder, name, 'nats-server'), cachedPath(search));
    return cachedPath(search);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchOverHttps(url: string): Promise<Buffer> {
  const limit = new AbortController();
  const answered = setTimeout(() => limit.abort(new Error('no answer within 10 s')), CONNECT_LIMIT_MS);
  const finished = setTimeout(() => limit.abort(new Error('not finished within 5 min')), DOWNLOAD_LIMIT_MS);
  try {
    const response = await fetch(url, { signal: limit.signal });
    clearTimeout(answered);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } finally {
    clearTimeout(answered);
    clearTimeout(finished);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
