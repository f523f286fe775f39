/** A line, or as much of its beginning as is kept. */
export interface CutLine {
  readonly line: Buffer;
  /** Whether there was more of it. */
  readonly isCut: boolean;
}

/** A copy of at most so many bytes: a slice would keep the whole chunk in memory. */
export const cutLine = (line: Buffer, maxBytes: number): CutLine => ({
  line: Buffer.from(line.subarray(0, maxBytes)),
  isCut: line.length > maxBytes,
});

/** Puts a line together that comes in pieces, and keeps no more than its first bytes. */
export class LineInPieces {
  private pieces: Buffer[] = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  add(piece: Buffer): void {
    const room = this.maxBytes - this.bytes;
    if (room > 0 && piece.length > 0) this.pieces.push(Buffer.from(piece.subarray(0, room)));
    this.bytes += piece.length;
  }

  /** The line has ended; the next one begins. */
  end(): CutLine {
    const line = this.pieces.length === 1 ? (this.pieces[0] as Buffer) : Buffer.concat(this.pieces);
    const isCut = this.bytes > this.maxBytes;
    this.pieces = [];
    this.bytes = 0;
    return { line, isCut };
  }
}
