import type { Json, JsonObject } from '#shared/domain/json';

/** A line of which more was printed is not looked at: an output may have 1 MiB. */
const MAX_LINE_BYTES = 1024 * 1024;
const MAX_MESSAGE_CHARACTERS = 1_000;

const LINE_FEED = 0x0a;
const PROGRESS = Buffer.from('::progress ');

export type LastLine =
  | { readonly kind: 'output'; readonly output: JsonObject }
  | { readonly kind: 'none' }
  /** It begins like a JSON object and is none. */
  | { readonly kind: 'broken' }
  | { readonly kind: 'too_long' };

/** Percent and message of a line `::progress 40 message`; null for any other line. */
export function progressOf(line: string): { percent: number; message: string | undefined } | null {
  const found = /^::progress\s+(\d{1,3}(?:\.\d+)?)%?(?:\s+(.*))?$/su.exec(line.trim());
  if (!found) return null;
  const message = found[2]?.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_MESSAGE_CHARACTERS);
  return { percent: Number(found[1]), message: message === '' ? undefined : message };
}

/**
 * Reads what a program prints: reports its progress lines and remembers its last other line, blank ones left out.
 * Nothing else is kept, however much it prints.
 */
export class CommandOutput {
  /** The line that has not ended yet. */
  private pieces: Buffer[] = [];
  private bytes = 0;
  private last: { readonly line: Buffer; readonly isCut: boolean } | undefined;

  constructor(private readonly onProgress: (percent: number, message: string | undefined) => void) {}

  add(chunk: Buffer): void {
    const first = chunk.indexOf(LINE_FEED);
    if (first < 0) return this.extend(chunk);
    this.extend(chunk.subarray(0, first));
    this.endLine();
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last > first) this.readLines(chunk.subarray(first + 1, last));
    return this.extend(chunk.subarray(last + 1));
  }

  /** The program prints no more. */
  end(): LastLine {
    this.endLine();
    if (!this.last || this.last.line[0] !== 0x7b) return { kind: 'none' };
    if (this.last.isCut) return { kind: 'too_long' };
    const value = parsed(this.last.line.toString());
    return value === undefined ? { kind: 'broken' } : { kind: 'output', output: value };
  }

  private extend(piece: Buffer): void {
    const room = MAX_LINE_BYTES - this.bytes;
    // A copy: a slice would keep the whole chunk in memory.
    if (room > 0 && piece.length > 0) this.pieces.push(Buffer.from(piece.subarray(0, room)));
    this.bytes += piece.length;
  }

  private endLine(): void {
    const line = trimmed(this.pieces.length === 1 ? (this.pieces[0] as Buffer) : Buffer.concat(this.pieces));
    const isCut = this.bytes > MAX_LINE_BYTES;
    this.pieces = [];
    this.bytes = 0;
    const progress = progressIn(line);
    if (progress) this.onProgress(progress.percent, progress.message);
    else if (line.length > 0) this.last = { line, isCut };
  }

  /** Whole lines, which may be thousands: only those with progress in them are looked at, and the last one. */
  private readLines(lines: Buffer): void {
    for (let at = lines.indexOf(PROGRESS); at >= 0;) {
      const start = at === 0 ? 0 : lines.lastIndexOf(LINE_FEED, at - 1) + 1;
      const lineFeed = lines.indexOf(LINE_FEED, at);
      const end = lineFeed < 0 ? lines.length : lineFeed;
      const progress = progressIn(trimmed(lines.subarray(start, end)));
      if (progress) this.onProgress(progress.percent, progress.message);
      at = lines.indexOf(PROGRESS, end);
    }
    for (let end = lines.length; end > 0;) {
      const start = lines.lastIndexOf(LINE_FEED, end - 1) + 1;
      const line = trimmed(lines.subarray(start, end));
      if (line.length > 0 && !progressIn(line)) {
        this.last = { line: Buffer.from(line), isCut: false };
        return;
      }
      end = start - 1;
    }
  }
}

const progressIn = (line: Buffer): ReturnType<typeof progressOf> =>
  line.subarray(0, PROGRESS.length).equals(PROGRESS) ? progressOf(line.toString()) : null;

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d;

function trimmed(line: Buffer): Buffer {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line[start])) start += 1;
  while (end > start && isBlank(line[end - 1])) end -= 1;
  return line.subarray(start, end);
}

function parsed(text: string): JsonObject | undefined {
  try {
    // It begins with a brace, so that whatever can be parsed is an object.
    return JSON.parse(text) as Json as JsonObject;
  } catch {
    return undefined;
  }
}
