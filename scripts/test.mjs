// Runs the tests; whatever follows is handed to jest. The last line is the count. The servers that the tests need are
// started by jest's global set-up, unless the environment names them.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const jest = join(dirname(createRequire(import.meta.url).resolve('jest/package.json')), 'bin', 'jest.js');
const folder = mkdtempSync(join(tmpdir(), 'sluice-results-'));
const resultFile = join(folder, 'results.json');

const child = spawn(process.execPath, [jest, ...process.argv.slice(2), '--json', `--outputFile=${resultFile}`], {
  cwd: root,
  // jest prints its JSON to stdout as well; its report for people goes to stderr.
  stdio: ['inherit', 'ignore', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code, signal) => {
  const { passed, failed } = readResults();
  rmSync(folder, { recursive: true, force: true });
  if (signal) process.exitCode = 128 + constants.signals[signal];
  else process.exitCode = code || (failed > 0 || passed === 0 ? 1 : 0);
  console.log(`${passed} passed, ${failed} failed`);
});

/** A file that could not be run at all counts as one failed test. */
function readResults() {
  try {
    const results = JSON.parse(readFileSync(resultFile, 'utf8'));
    return { passed: results.numPassedTests, failed: results.numFailedTests + results.numRuntimeErrorTestSuites };
  } catch {
    return { passed: 0, failed: 0 };
  }
}
