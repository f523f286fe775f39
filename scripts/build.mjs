// Compiles apps and libs into dist; the dashboard, which browsers run, is another build (dashboard.mjs). Several builds may run at once in one clone: one works, the others wait for it, and
// a file is replaced whole and only when it changed, so that programs that start meanwhile never read half a file.
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lock } from './build-lock.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE_FOLDERS = ['apps', 'libs'];
const DIST = join(root, 'dist');
/** Made and kept by dashboard.mjs. */
const DASHBOARD = { source: join('apps', 'dashboard'), output: join(DIST, 'dashboard') };
const STAMP = join(DIST, '.stamp');

/**
 * Builds what changed.
 * @param {{ ifNeeded: boolean }} options ifNeeded: do nothing when dist belongs to the sources as they are
 * @returns {Promise<boolean>} whether anything was compiled
 */
export async function build({ ifNeeded }) {
  const sources = await findSources();
  const stamp = await stampOf(sources);
  if (ifNeeded && (await currentStamp()) === stamp) return false;
  const unlock = await lock();
  try {
    if (ifNeeded && (await currentStamp()) === stamp) return false;
    const outputs = (await Promise.all(sources.map(compile))).flat();
    await rm(STAMP, { force: true });
    for (const { path, content } of outputs) await replace(join(DIST, path), content);
    await removeOthers(new Set(outputs.map(({ path }) => join(DIST, path))));
    await replace(STAMP, stamp);
    return true;
  } finally {
    await unlock();
  }
}

async function findSources() {
  const found = [];
  for (const folder of SOURCE_FOLDERS) {
    const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      const path = relative(root, join(entry.parentPath ?? entry.path, entry.name));
      const isCode = /\.ts$/.test(path) && !/\.(spec|d)\.ts$/.test(path);
      if (path.startsWith(`${DASHBOARD.source}/`) || path.includes('node_modules')) continue;
      if (entry.isFile() && (isCode || path.endsWith('.json'))) found.push(path);
    }
  }
  return found.sort();
}

async function stampOf(sources) {
  const hash = createHash('sha256');
  hash.update(createRequire(import.meta.url)('@swc/core/package.json').version);
  for (const path of ['.swcrc', 'scripts/build.mjs', ...sources]) {
    hash.update(`\0${path}\0`).update(await readFile(join(root, path)));
  }
  return hash.digest('hex');
}

async function currentStamp() {
  return readFile(STAMP, 'utf8').catch(() => undefined);
}

async function compile(path) {
  if (!path.endsWith('.ts')) return [{ path, content: await readFile(join(root, path)) }];
  const { transformFile } = await import('@swc/core');
  const output = path.replace(/\.ts$/, '.js');
  const { code, map } = await transformFile(join(root, path), {
    configFile: join(root, '.swcrc'),
    cwd: root,
    sourceFileName: relative(join(DIST, dirname(path)), join(root, path)),
  });
  const mapName = `${output.split('/').at(-1)}.map`;
  return [
    { path: output, content: `${code}//# sourceMappingURL=${mapName}\n` },
    { path: `${output}.map`, content: map },
  ];
}

async function replace(path, content) {
  const old = await readFile(path).catch(() => undefined);
  if (old?.equals(Buffer.from(content))) return;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  await writeFile(unfinished, content);
  await rename(unfinished, path);
}

async function removeOthers(wanted) {
  for (const entry of await readdir(DIST, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (path.startsWith(`${DASHBOARD.output}/`) || !entry.isFile() || wanted.has(path)) continue;
    await rm(path, { force: true });
  }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === realpathSync(process.argv[1])) {
  const startedAt = Date.now();
  const ifNeeded = process.argv.includes('--if-needed');
  try {
    const built = await build({ ifNeeded });
    const { buildDashboard } = await import('./dashboard.mjs');
    const drawn = process.argv.includes('--dashboard') && (await buildDashboard({ ifNeeded }));
    if (built || drawn) console.log(`built in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(
      existsSync(join(root, 'node_modules')) ? error.message : 'dependencies are missing: run "npm ci" first',
    );
    process.exitCode = 1;
  }
}
