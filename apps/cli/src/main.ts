import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run';

/** dist/apps/cli/src lies four levels below the root. */
function version(): string {
  const text = readFileSync(join(__dirname, '../../../../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const interruption = new AbortController();

/** The first signal ends what is under way in good order, the second at once. */
function interrupt(): void {
  if (interruption.signal.aborted) process.exit(130);
  interruption.abort(new Error('interrupted'));
}

/** Whoever read stdout has seen enough: `sluice … | head`. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}

process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
process.stdout.on('error', endWithReader);
process.stderr.on('error', endWithReader);

const { stdout, stderr, env } = process;
const io = { stdout, stderr, env, cwd: process.cwd(), now: Date.now, signal: interruption.signal };

void run(process.argv.slice(2), io, version()).then((exitCode) => {
  process.exitCode = exitCode;
});
