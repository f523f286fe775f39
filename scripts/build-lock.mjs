// Several builds may be started at once in one clone: one works, the others wait for it.
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const LOCK = join(dirname(dirname(fileURLToPath(import.meta.url))), '.sluice', 'build.lock');
const LOCK_LIMIT_MS = 120_000;

/** @returns what lets the next builder in */
export async function lock() {
  await mkdir(dirname(LOCK), { recursive: true });
  const giveUpAt = Date.now() + LOCK_LIMIT_MS;
  for (;;) {
    try {
      await writeFile(LOCK, String(process.pid), { flag: 'wx' });
      return () => rm(LOCK, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (await isStale()) await rm(LOCK, { force: true });
    else if (Date.now() > giveUpAt) throw new Error(`another build holds ${LOCK}`);
    else await pause(50);
  }
}

async function isStale() {
  const pid = Number(await readFile(LOCK, 'utf8').catch(() => ''));
  if (!pid) {
    // Just made and not yet written, or left by a crash between the two.
    const age = await stat(LOCK).then(
      (stats) => Date.now() - stats.mtimeMs,
      () => 0,
    );
    return age > 5_000;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
