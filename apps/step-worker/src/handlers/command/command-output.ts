import type { Json, JsonObject } from '#shared/domain/json';
import { type CutLine, cutLine, LineInPieces } from './cut-line';

/** A line of which more was printed is not looked at: an output may have 1 MiB. */
const MAX_LINE_BYTES = 1024 * 1024;

const LINE_FEED = 0x0a;
const PROGRESS = Buffer.from('::progress ');

export type LastLine =
  | { readonly kind: 'output'; readonly output: JsonObject }
  | { readonly kind: 'none' }
  /** It begins like a JSON object and is none. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'too_long' };

/**
 * Reads what a program prints: hands on its newest line of progress and remembers its last other line, blank ones left
 * out. Nothing else is kept or looked at, however much it prints.
 */
export class CommandOutput {
  private readonly begun = new LineInPieces(MAX_LINE_BYTES);
  private last: CutLine | undefined;

  /** @param onProgress is given the newest of the lines like `::progress 4` that came in a chunk, without blanks around it */
  constructor(private readonly onProgress: (line: Buffer) => void) {}

  add(chunk: Buffer): void {
    const first = chunk.indexOf(LINE_FEED);
    if (first < 0) return this.begun.add(chunk);
    this.begun.add(chunk.subarray(0, first));
    let progress = this.endLine();
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last > first) progress = this.readLines(chunk.subarray(first + 1, last)) ?? progress;
    if (progress) this.onProgress(progress);
    return this.begun.add(chunk.subarray(last + 1));
  }

  /** The program prints no more. */
  end(): LastLine {
    const progress = this.endLine();
    if (progress) this.onProgress(progress);
    if (!this.last || this.last.line[0] !== 0x7b) return { kind: 'none' };
    if (this.last.isCut) return { kind: 'too_long' };
    const value = parsed(this.last.line.toString());
    return value === undefined ? { kind: 'broken' } : { kind: 'output', output: value };
  }

  /** @returns the line that has ended, if it is one of progress */
  private endLine(): Buffer | undefined {
    const { line: whole, isCut } = this.begun.end();
    const line = trimmed(whole, 0, whole.length);
    if (isProgress(line)) return line;
    if (line.length > 0) this.last = { line, isCut };
    return undefined;
  }

  /** Whole lines, which may be thousands: from the end no further than to what is the last of its kind. */
  private readLines(lines: Buffer): Buffer | undefined {
    let progress: Buffer | undefined;
    let end = lines.length;
    while (end >= 0) {
      const start = end === 0 ? 0 : lines.lastIndexOf(LINE_FEED, end - 1) + 1;
      const line = trimmed(lines, start, end);
      if (isProgress(line)) progress ??= line;
      else if (line.length > 0) {
        this.last = cutLine(line, MAX_LINE_BYTES);
        return progress ?? newestProgress(lines, start);
      }
      end = start - 1;
    }
    return progress;
  }
}

/** The last line of progress that begins before `end`. */
function newestProgress(lines: Buffer, end: number): Buffer | undefined {
  for (let at = end; at > 0;) {
    at = lines.lastIndexOf(PROGRESS, at - 1);
    if (at < 0) return undefined;
    const start = at === 0 ? 0 : lines.lastIndexOf(LINE_FEED, at - 1) + 1;
    const lineFeed = lines.indexOf(LINE_FEED, at);
    const line = trimmed(lines, start, lineFeed < 0 ? lines.length : lineFeed);
    if (isProgress(line)) return line;
    at = start;
  }
  return undefined;
}

/** Whether the line is like `::progress 4`. Whether it can be read is seen when it is reported. */
function isProgress(line: Buffer): boolean {
  for (let at = 0; at < PROGRESS.length; at += 1) if (line[at] !== PROGRESS[at]) return false;
  let at = PROGRESS.length;
  while (isBlank(line[at])) at += 1;
  const first = line[at] ?? 0;
  return first >= 0x30 && first <= 0x39;
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;

function trimmed(lines: Buffer, from: number, to: number): Buffer {
  let [start, end] = [from, to];
  while (start < end && isBlank(lines[start])) start += 1;
  while (end > start && isBlank(lines[end - 1])) end -= 1;
  return lines.subarray(start, end);
}

function parsed(text: string): JsonObject | undefined {
  try {
    // It begins with a brace, so that whatever can be parsed is an object.
    return JSON.parse(text) as Json as JsonObject;
  } catch {
    return undefined;
  }
}
