import { MAX_LINES_PER_ATTEMPT } from '#shared/store/step-reports';
import { type CutLine, cutLine, LineInPieces } from './cut-line';
import { Pace } from './pace';

/** The log shows 4,000 characters of a line. */
const MAX_LINE_BYTES = 16 * 1024;
const TELL_EVERY_MS = 100;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Hands on what a program writes to its standard error, line by line, and remembers the last one that is not blank. Of
 * more lines than the log of an attempt keeps, the last ones are handed on; the others are not looked at, so that a
 * program that writes without end does not take the worker's time.
 */
export class ErrorLines {
  private readonly begun = new LineInPieces(MAX_LINE_BYTES);
  private lines: CutLine[] = [];
  private hasBegun = false;
  private last = '';
  private readonly pace = new Pace(TELL_EVERY_MS, () => this.tell());

  /**
   * @param shown a line as it may be kept
   * @param onLine is given that
   */
  constructor(
    private readonly shown: (line: string, isCut: boolean) => string,
    private readonly onLine: (line: string) => void,
  ) {}

  add(chunk: Buffer): void {
    const first = chunk.indexOf(LINE_FEED);
    if (first < 0) return this.extend(chunk);
    this.extend(chunk.subarray(0, first));
    this.keep([this.begun.end()]);
    this.keep(lastLines(chunk, first));
    this.hasBegun = false;
    this.extend(chunk.subarray(chunk.lastIndexOf(LINE_FEED) + 1));
    return this.pace.due();
  }

  /** The program writes no more. @returns the last line that is not blank; empty when there was none */
  end(): string {
    if (this.hasBegun) this.keep([this.begun.end()]);
    this.hasBegun = false;
    this.pace.end();
    return this.last;
  }

  private extend(piece: Buffer): void {
    this.hasBegun ||= piece.length > 0;
    this.begun.add(piece);
  }

  private keep(lines: readonly CutLine[]): void {
    this.lines = [...this.lines, ...lines].slice(-MAX_LINES_PER_ATTEMPT);
  }

  private tell(): void {
    const lines = this.lines;
    this.lines = [];
    for (const { line, isCut } of lines) {
      const text = this.shown(withoutReturn(line).toString(), isCut);
      if (text.trim() !== '') this.last = text;
      this.onLine(text);
    }
  }
}

/** The last whole lines of a chunk after the line feed at `from`. */
function lastLines(chunk: Buffer, from: number): CutLine[] {
  const lines: CutLine[] = [];
  let end = chunk.lastIndexOf(LINE_FEED);
  while (end > from && lines.length < MAX_LINES_PER_ATTEMPT) {
    const start = chunk.lastIndexOf(LINE_FEED, end - 1) + 1;
    lines.push(cutLine(chunk.subarray(start, end), MAX_LINE_BYTES));
    end = start - 1;
  }
  return lines.reverse();
}

const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line);
