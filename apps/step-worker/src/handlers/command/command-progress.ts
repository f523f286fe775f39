import { type CutLine, cutLine } from './cut-line';
import { Pace } from './pace';

const MAX_MESSAGE_CHARACTERS = 1_000;
const MAX_LINE_BYTES = 16 * 1024;
const REPORT_EVERY_MS = 100;

export interface Progress {
  readonly percent: number;
  readonly message: string | undefined;
}

/** Percent and message, however long, of a line `::progress 40 message`; null for any other line. */
export function progressOf(line: string): Progress | null {
  if (!line.startsWith('::progress ')) return null;
  const found = /^::progress\s+(\d{1,3}(?:\.\d+)?)%?(?:\s+(.*))?$/su.exec(line);
  return found && { percent: Number(found[1]), message: found[2] };
}

/** Reports the newest progress of a program. Of lines that come faster only the one that is reported is read. */
export class CommandProgress {
  private newest: CutLine | undefined;
  private readonly pace = new Pace(REPORT_EVERY_MS, () => this.tell());

  /**
   * @param shown a message as it may be kept
   * @param report is given that, on one line, its first 1,000 characters
   */
  constructor(
    private readonly shown: (message: string, isCut: boolean) => string,
    private readonly report: (percent: number, message: string | undefined) => void,
  ) {}

  /** @param line without blanks around it */
  add(line: Buffer): void {
    this.newest = cutLine(line, MAX_LINE_BYTES);
    this.pace.due();
  }

  /** The program prints no more. */
  end(): void {
    this.pace.end();
  }

  private tell(): void {
    const progress = this.newest && progressOf(this.newest.line.toString());
    const isCut = this.newest?.isCut ?? false;
    this.newest = undefined;
    if (!progress) return;
    // Hidden first: a secret with its end cut off, or changed within, is not known for one.
    const message = this.shown(progress.message ?? '', isCut)
      .replace(/\p{Cc}+/gu, ' ')
      .slice(0, MAX_MESSAGE_CHARACTERS);
    this.report(progress.percent, message === '' ? undefined : message);
  }
}
