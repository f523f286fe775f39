import { Writable } from 'node:stream';
import { run } from '../../../apps/cli/src/run';

class Capture extends Writable {
  text = '';

  constructor(
    readonly isTTY: boolean,
    readonly columns: number,
  ) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    this.emit('text', this.text);
    done();
  }
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly columns?: number;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** What time it is; NOW when left out. */
  readonly now?: () => number;
  /** Called with all of stderr so far, whenever there is more. */
  readonly onErr?: (text: string) => void;
}

/** Runs one command line as the process would, against the gateway at `url`. */
export async function sluice(url: string, line: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { env = {}, tty = false, columns = 100, cwd = '/somewhere', signal = new AbortController().signal } = options;
  const { now = () => NOW } = options;
  const stdout = new Capture(tty, columns);
  const stderr = new Capture(tty, columns);
  stderr.on('text', (text: string) => options.onErr?.(text));
  const io = { stdout, stderr, env: { SLUICE_URL: url, ...env }, cwd, now, signal };
  const code = await run(line, io, '1.2.3');
  return { code, out: stdout.text, err: stderr.text };
}

/** What time it is in these tests. */
export const NOW = Date.parse('2030-01-31T12:00:10.000Z');
