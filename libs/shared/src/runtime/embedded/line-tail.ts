import type { Readable } from 'node:stream';

const MAX_LINE_CHARS = 64 * 1024;

/**
 * Calls `onLine` for each line of a stream, without its line end; a line longer than 64 KiB comes in pieces.
 * Reads as fast as the stream delivers, so that a child never blocks on a full pipe.
 */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > MAX_LINE_CHARS) {
      onLine(rest);
      rest = '';
    }
  });
  stream.on('end', () => {
    if (rest) onLine(rest);
    rest = '';
  });
  stream.on('error', () => {});
}

/** Remembers the last lines of a process's output, to say why it failed. */
export class LineTail {
  private readonly lines: string[] = [];

  constructor(private readonly maxLines = 20) {}

  add(line: string): void {
    this.lines.push(line);
    if (this.lines.length > this.maxLines) this.lines.shift();
  }

  toString(): string {
    return this.lines.map((line) => `  ${line}`).join('\n');
  }
}
