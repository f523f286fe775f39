import type { LogLevel } from '#shared/contracts/handler';
import type { Logger } from '#shared/runtime/logger';
import { type LogLine, MAX_LINES_PER_ATTEMPT, type ProgressReport, type StepReports } from '#shared/store/step-reports';
import type { DatabaseClock } from '../lease/database-clock';
import type { TurnReporter } from './turn-reporter';

/** How often what handlers reported is written. */
const WRITE_EVERY_MS = 500;
/** Progress of one attempt is told no more often than this. */
const TELL_EVERY_MS = 100;
const MAX_LINE_CHARACTERS = 4_000;

/** One attempt's way to report. */
export interface AttemptReports {
  progress(percent: number, message: string | null): void;
  log(level: LogLevel, message: string): void;
}

export interface AttemptName {
  readonly jobId: string;
  readonly idx: number;
  readonly step: string;
  readonly epoch: number;
  readonly attempt: number;
}

/** Lines of one attempt that are not written yet: the last ones. */
interface LineTail {
  readonly name: AttemptName;
  lines: LogLine[];
  /** Lines in the store at most. */
  stored: number;
}

/**
 * Takes what handlers report and writes it in batches. Losing some of it harms nothing: of an attempt the last lines are
 * kept, however many there were.
 */
export class ProgressRecorder {
  private progress = new Map<string, ProgressReport>();
  private readonly tails = new Set<LineTail>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly reports: Pick<StepReports, 'writeProgress' | 'writeLogs' | 'trimLogs'>,
    private readonly reporter: Pick<TurnReporter, 'progress'>,
    private readonly clock: Pick<DatabaseClock, 'now'>,
    private readonly log: Pick<Logger, 'warn'>,
  ) {}

  of(name: AttemptName): AttemptReports {
    let toldAtMs = -Infinity;
    const tail: LineTail = { name, lines: [], stored: 0 };
    const { jobId, idx, step, epoch, attempt } = name;
    return {
      progress: (percent, message) => {
        this.progress.set(`${jobId}:${idx}`, { jobId, idx, epoch, percent, message });
        this.schedule();
        if (performance.now() - toldAtMs < TELL_EVERY_MS) return;
        toldAtMs = performance.now();
        this.reporter.progress(jobId, step, attempt, percent, message);
      },
      log: (level, message) => {
        const at = new Date(this.clock.now() / 1_000);
        tail.lines.push({ jobId, idx, attempt, at, level, message: message.slice(0, MAX_LINE_CHARACTERS) });
        if (tail.lines.length > MAX_LINES_PER_ATTEMPT) tail.lines.shift();
        this.tails.add(tail);
        this.schedule();
      },
    };
  }

  /** Writes what is left. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  private async write(): Promise<void> {
    const progress = [...this.progress.values()];
    const tails = [...this.tails];
    const lines = tails.flatMap((tail) => tail.lines);
    for (const tail of tails) {
      tail.stored += tail.lines.length;
      tail.lines = [];
    }
    this.progress = new Map();
    this.tails.clear();
    const full = tails.filter((tail) => tail.stored > 2 * MAX_LINES_PER_ATTEMPT);
    for (const tail of full) tail.stored = MAX_LINES_PER_ATTEMPT;
    try {
      await this.reports.writeProgress(progress);
      await this.reports.writeLogs(lines);
      await this.reports.trimLogs(full.map(({ name }) => name));
    } catch (error) {
      this.log.warn({ err: error, lines: lines.length }, 'progress and log lines of steps could not be written');
    }
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), WRITE_EVERY_MS);
  }
}
