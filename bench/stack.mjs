// A whole Sluice of its own for a bench: started by `npm start`'s own launcher, on free ports, with data that goes away.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const START_LIMIT_MS = 300_000;

/**
 * @param {{ workers?: number, concurrency?: number, profileFolder?: string, env?: Record<string, string> }} options
 * @returns the stack's status (url, database_url, services, servers) and `stop`
 */
export async function startStack({ workers = 1, concurrency = 400, profileFolder, env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const args = ['--port', '0', '--data-dir', folder, '--config', join(ROOT, 'bench', 'pipelines.yml')];
  args.push('--workers', String(workers), '--concurrency', String(concurrency));
  const hook = join(ROOT, 'bench', 'profile-hook.cjs');
  const profiling = profileFolder
    ? { NODE_OPTIONS: `--require ${hook}`, SLUICE_INTERNAL_PROFILE_FOLDER: profileFolder }
    : {};
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'start.mjs'), ...args], {
    cwd: ROOT,
    env: { ...process.env, SLUICE_LOG_LEVEL: 'warn', ...env, ...profiling },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const ready = new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`the stack was not ready in time:\n${said}`)), START_LIMIT_MS);
    child.stdout.on('data', (chunk) => {
      said = (said + chunk).slice(-20_000);
      if (!/ready at http/.test(said)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code) => reject(new Error(`the stack ended with ${code}:\n${said}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready;
    const status = JSON.parse(await readFile(join(folder, 'stack.json'), 'utf8'));
    return { ...status, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
