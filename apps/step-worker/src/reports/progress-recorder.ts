import type { LogLevel } from '#shared/contracts/handler';
import type { Logger } from '#shared/runtime/logger';
import type { LogLine, ProgressReport, StepReports } from '#shared/store/step-reports';
import type { TurnReporter } from './turn-reporter';

/** How often what handlers reported is written. */
const WRITE_EVERY_MS = 500;
/** Progress of one attempt is told no more often than this. */
const TELL_EVERY_MS = 100;
/** Of one attempt; what it logs beyond is dropped, with a line that says so. */
const MAX_LINES = 1_000;
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

/** Takes what handlers report and writes it in batches. Losing some of it harms nothing. */
export class ProgressRecorder {
  private progress = new Map<string, ProgressReport>();
  private lines: LogLine[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly reports: StepReports,
    private readonly reporter: TurnReporter,
    private readonly log: Logger,
  ) {}

  of(name: AttemptName): AttemptReports {
    let toldAtMs = -Infinity;
    let lineCount = 0;
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
        lineCount += 1;
        if (lineCount > MAX_LINES + 1) return;
        const text = lineCount > MAX_LINES ? `more than ${MAX_LINES} lines: the rest is dropped` : message;
        const line = text.slice(0, MAX_LINE_CHARACTERS);
        this.lines.push({ jobId, idx, attempt, at: new Date(), level, message: line });
        this.schedule();
      },
    };
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const progress = [...this.progress.values()];
    const lines = this.lines;
    this.progress = new Map();
    this.lines = [];
    try {
      await this.reports.writeProgress(progress);
      await this.reports.writeLogs(lines);
    } catch (error) {
      this.log.warn({ err: error, lines: lines.length }, 'progress and log lines of steps could not be written');
    }
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), WRITE_EVERY_MS);
  }
}
