import { type Outcome, OUTCOMES } from '#shared/domain/status';
import type { AttemptRecord, Micros, StepError } from '#shared/domain/turn/job-draft';
import { Sketch, type SketchJson } from '#shared/domain/usage/sketch';

export type ErrorKind = StepError['kind'];

/** An attempt that has ended, as far as figures are concerned. A crash leaves none. */
export interface EndedAttempt {
  readonly outcome: Outcome;
  /** Why the step is tried again; null when it is not. */
  readonly retried: ErrorKind | null;
  readonly durationMs: number | null;
  readonly cpuPercent: number | null;
  readonly memoryMb: number | null;
}

/** Is told of each attempt that was recorded, with its `finished_at`. Never throws and takes no time. */
export type AttemptSink = (pipeline: string, step: string, finishedAt: Micros, attempt: EndedAttempt) => void;

export const endedAttempt = (record: AttemptRecord): EndedAttempt => {
  const { outcome, error, nextDelayMs, durationMs, cpuPercent, memoryMb } = record;
  return { outcome, retried: nextDelayMs === null ? null : (error?.kind ?? null), durationMs, cpuPercent, memoryMb };
};

export interface StepUsageJson {
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  readonly retries: Readonly<Partial<Record<ErrorKind, number>>>;
  readonly duration_ms: SketchJson;
  readonly cpu_percent: SketchJson;
  readonly memory_mb: SketchJson;
}

/** What attempts of one step have come to and used. */
export class StepUsage {
  readonly outcomes = new Map<Outcome, number>();
  /** Retries that were granted, by the kind of the error before them. */
  readonly retries = new Map<ErrorKind, number>();
  readonly durationMs = new Sketch();
  readonly cpuPercent = new Sketch();
  readonly memoryMb = new Sketch();

  static from(json: StepUsageJson): StepUsage {
    const usage = new StepUsage();
    for (const [outcome, count] of Object.entries(json.outcomes)) add(usage.outcomes, outcome as Outcome, count);
    for (const [kind, count] of Object.entries(json.retries)) add(usage.retries, kind as ErrorKind, count);
    usage.durationMs.merge(Sketch.from(json.duration_ms));
    usage.cpuPercent.merge(Sketch.from(json.cpu_percent));
    usage.memoryMb.merge(Sketch.from(json.memory_mb));
    return usage;
  }

  /** Attempts that have ended, however they did. */
  get attempts(): number {
    return OUTCOMES.reduce((sum, outcome) => sum + (this.outcomes.get(outcome) ?? 0), 0);
  }

  /** Those that did not complete. */
  get failures(): number {
    return this.attempts - (this.outcomes.get('completed') ?? 0);
  }

  get retryCount(): number {
    return [...this.retries.values()].reduce((sum, count) => sum + count, 0);
  }

  /** CPU and memory are stored as `real`: rounded to that here too, a value is in the bucket that counting the rows says. */
  observe({ outcome, retried, durationMs, cpuPercent, memoryMb }: EndedAttempt): void {
    add(this.outcomes, outcome, 1);
    if (retried !== null) add(this.retries, retried, 1);
    if (durationMs !== null) this.durationMs.observe(durationMs);
    if (cpuPercent !== null) this.cpuPercent.observe(Math.fround(cpuPercent));
    if (memoryMb !== null) this.memoryMb.observe(Math.fround(memoryMb));
  }

  merge(other: StepUsage): void {
    for (const [outcome, count] of other.outcomes) add(this.outcomes, outcome, count);
    for (const [kind, count] of other.retries) add(this.retries, kind, count);
    this.durationMs.merge(other.durationMs);
    this.cpuPercent.merge(other.cpuPercent);
    this.memoryMb.merge(other.memoryMb);
  }

  toJSON(): StepUsageJson {
    return {
      outcomes: Object.fromEntries(this.outcomes),
      retries: Object.fromEntries(this.retries),
      duration_ms: this.durationMs.toJSON(),
      cpu_percent: this.cpuPercent.toJSON(),
      memory_mb: this.memoryMb.toJSON(),
    };
  }
}

function add<Key>(counts: Map<Key, number>, key: Key, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}
