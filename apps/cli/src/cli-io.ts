/** A stream that text is written to; on a terminal it says how wide it is. */
export type OutStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

/** All that the commands see of the world, so that a test can be the world. */
export interface CliIo {
  /** Data. */
  readonly stdout: OutStream;
  /** Words for people: progress, hints, errors. */
  readonly stderr: OutStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
}
