// Builds the dashboard into dist/dashboard, from where the gateway serves it. Done only when its sources have changed.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { lock } from './build-lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const OUTPUT = join(root, 'dist', 'dashboard');
const CONFIG = join(root, 'apps', 'dashboard', 'vite.config.mjs');
const STAMP = '.stamp';
/** The dashboard, and what it shares with the services. */
const SOURCES = [
  'apps/dashboard',
  'libs/shared/src/contracts',
  'libs/shared/src/domain',
  'package-lock.json',
  'scripts/dashboard.mjs',
];
const COMPRESSIBLE = /\.(?:js|css|html|svg)$/;

/**
 * Builds the dashboard.
 * @param {{ ifNeeded: boolean }} options ifNeeded: do nothing when it belongs to the sources as they are
 * @returns {Promise<boolean>} whether anything was built
 */
export async function buildDashboard({ ifNeeded }) {
  const stamp = await stampOfSources();
  const isCurrent = async () => (await readFile(join(OUTPUT, STAMP), 'utf8').catch(() => '')) === stamp;
  if (ifNeeded && (await isCurrent())) return false;
  const unlock = await lock();
  try {
    if (ifNeeded && (await isCurrent())) return false;
    await removeUnfinished();
    const unfinished = `${OUTPUT}.${process.pid}`;
    await runVite('build', '--config', CONFIG, '--outDir', unfinished, '--logLevel', 'error');
    for (const path of await filesUnder(unfinished)) {
      if (COMPRESSIBLE.test(path)) await writeFile(`${path}.gz`, await promisify(gzip)(await readFile(path)));
    }
    await writeFile(join(unfinished, STAMP), stamp);
    await rm(OUTPUT, { recursive: true, force: true });
    await mkdir(dirname(OUTPUT), { recursive: true });
    await rename(unfinished, OUTPUT);
    return true;
  } finally {
    await unlock();
  }
}

/** What builds have left that were killed. */
async function removeUnfinished() {
  const names = await readdir(dirname(OUTPUT)).catch(() => []);
  for (const name of names.filter((each) => /^dashboard\.\d+$/.test(each))) {
    await rm(join(dirname(OUTPUT), name), { recursive: true, force: true });
  }
}

/** As a process of its own: it goes by NODE_ENV, and whatever that is here, what is built is for people. */
async function runVite(...args) {
  const vite = join(dirname(createRequire(import.meta.url).resolve('vite/package.json')), 'bin', 'vite.js');
  await promisify(execFile)(process.execPath, [vite, ...args], {
    cwd: join(root, 'apps', 'dashboard'),
    env: { ...process.env, NODE_ENV: 'production' },
  });
}

async function filesUnder(path) {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

async function stampOfSources() {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    const path = join(root, source);
    const files = /\.\w+$/.test(source) ? [path] : await filesUnder(path);
    for (const file of files.filter((each) => !/\.spec\.tsx?$/.test(each)).sort()) {
      hash.update(`\0${relative(root, file)}\0`).update(await readFile(file));
    }
  }
  return hash.digest('hex');
}
