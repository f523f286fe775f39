import type { Printer } from '../output/printer';
import type { CliIo } from '../cli-io';
import { coloursFor } from '../output/colours';
import { BarsView } from './bars-view';
import type { JobUpdate } from './job-stream';
import { describeUpdate } from './update-words';

/** Shows a job as it goes on. */
export interface ProgressView {
  show(update: JobUpdate): void;
  /** Leaves the terminal as it was found. */
  stop(): void;
}

/** How much to show where there is no terminal: every event, or nothing. */
export type Detail = 'events' | 'none';

/** Live bars on a terminal; otherwise a line for each update, as JSON on stdout where JSON lines were asked for. */
export function progressView(io: CliIo, printer: Printer, detail: Detail): ProgressView {
  if (printer.format === 'jsonl' && detail === 'events') return new LinesView((update) => printer.line(update));
  if (io.stderr.isTTY === true && io.env['TERM'] !== 'dumb') return new BarsView(io);
  if (detail === 'none') return new LinesView(() => undefined);
  const colours = coloursFor(io.stderr, io.env);
  return new LinesView((update) => printer.say(describeUpdate(update, colours, io.now())));
}

class LinesView implements ProgressView {
  constructor(readonly show: (update: JobUpdate) => void) {}

  stop(): void {
    return undefined;
  }
}
