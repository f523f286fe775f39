import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The folder of Sluice's own package.json, whether this runs from `dist` or from the sources. */
export function projectFolder(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  throw new Error(`no package.json above ${__dirname}`);
}

/** Where programs that were brought or built are kept: `SLUICE_CACHE_DIR`, by default `.sluice/cache` in the project. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.SLUICE_CACHE_DIR ? resolve(env.SLUICE_CACHE_DIR) : join(projectFolder(), '.sluice', 'cache');
}
