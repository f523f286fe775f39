// npm run test:faults [-- --seed N --size N --rows 1,7,12]: every row of the table of faults (docs/faults.md), larger
// and by chance. The seed is printed: the same seed makes the same choices.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const USAGE = 'usage: npm run test:faults [-- --seed N --size N --rows 1,7,12]';
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const jest = join(dirname(createRequire(import.meta.url).resolve('jest/package.json')), 'bin', 'jest.js');

const { seed, size, rows } = readArguments();
// Before the namespace is entered, where swc does not load.
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-needed'], { stdio: 'inherit' });
console.log(`seed ${seed}, size ${size}, rows ${rows || 'all'}`);
const [program, ...args] = [...ownMounts(), process.execPath, jest, '--config', 'jest.faults.config.cjs'];
const child = spawn(program, args, {
  cwd: root,
  stdio: 'inherit',
  env: {
    ...process.env,
    SLUICE_TEST_FAULT_SEED: seed,
    SLUICE_TEST_FAULT_SIZE: size,
    SLUICE_TEST_FAULT_ROWS: rows,
  },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => (process.exitCode = code ?? 1));

function readArguments() {
  const number = { type: 'string' };
  try {
    const { values } = parseArgs({ options: { seed: number, size: number, rows: number } });
    const { seed = String(Date.now() % 1_000_000), size = '3', rows = '' } = values;
    const isRight = /^\d{1,9}$/.test(seed) && /^[1-9]\d{0,2}$/.test(size) && /^(\d+(,\d+)*)?$/.test(rows);
    if (isRight) return { seed, size, rows };
  } catch {
    // said below
  }
  console.error(USAGE);
  process.exit(2);
}

/** A small disk has to be mounted: root may, others in a mount namespace of their own where the system allows it. */
function ownMounts() {
  if (process.getuid?.() === 0) return [];
  const prefix = ['unshare', '-Urm'];
  try {
    execFileSync(prefix[0], [...prefix.slice(1), 'true'], { stdio: 'ignore' });
    return prefix;
  } catch {
    return [];
  }
}
