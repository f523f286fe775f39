/** One place in the pipeline file that is wrong. */
export interface ConfigFault {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Such as `pipelines.repository.steps[0].timeout`; `''` when it is the file as a whole. */
  readonly key: string;
  readonly expected: string;
  readonly found: string;
}

export const describeFault = ({ file, line, key, expected, found }: ConfigFault): string =>
  `${file}:${line}: ${key === '' ? '' : `${key}: `}expected ${expected}, found ${found}`;

const MAX_LINES = 100;

/** The pipeline file cannot be used. The message has one line for each fault (of the first 100), in the file's order. */
export class PipelineConfigError extends Error {
  override readonly name = 'PipelineConfigError';
  readonly exitCode = 2;
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const sorted = [...faults].sort((a, b) => a.line - b.line);
    const lines = sorted.slice(0, MAX_LINES).map(describeFault);
    if (sorted.length > MAX_LINES) lines.push(`… and ${sorted.length - MAX_LINES} more`);
    super(lines.join('\n'));
    this.faults = sorted;
  }

  /** The same faults of a file that people know by another path. */
  calledAs(file: string): PipelineConfigError {
    return new PipelineConfigError(this.faults.map((fault) => ({ ...fault, file })));
  }
}
