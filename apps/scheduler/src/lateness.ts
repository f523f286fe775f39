import type { Micros } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';

/** Later than this is worth a line of the log. */
const NOTABLE_SECONDS = 1;
const REPORT_EVERY_MS = 10_000;

const OUTAGE = 'nobody could hand them out: no scheduler ran, or Postgres or NATS was out of reach';
const OVERLOAD = 'more was due than could be handed out at once';

/** A job that was handed out at its time, or some time after. */
export interface HandedOut {
  /** When it should have started, by the database's clock. */
  readonly dueAt: Micros;
  /** The database's time of the statement that released it. */
  readonly releasedAt: Micros;
  /** `performance.now()` from before that statement was sent. */
  readonly askedAtMs: number;
}

interface LateJobs {
  jobs: number;
  latestSeconds: number;
}

/** How late jobs are handed out: all of it to the telemetry, and a line in the log about those that were notably late. */
export class Lateness {
  /** Since when jobs can be released without a break; null while they cannot. */
  private ableSince: Micros | null = null;
  private readonly late = new Map<string, LateJobs>();
  private reportedAtMs = -Infinity;

  /** @param tell is given how late each was, in seconds: from when it was due to its publication */
  constructor(
    private readonly tell: (seconds: number) => void,
    private readonly log: Logger,
  ) {}

  /** What is due can be released. @param now the database's time */
  able(now: Micros): void {
    this.ableSince ??= now;
  }

  /** Nothing can be released now. What becomes due until it can be again is late for that. */
  unable(): void {
    this.ableSince = null;
  }

  /**
   * The job's turns are in the stream. By the database's clock up to the release, by the monotonic one from then on: what
   * lies between asking and the statement counts twice, so that it is never less than it was.
   */
  observe({ dueAt, releasedAt, askedAtMs }: HandedOut): void {
    const seconds = Math.max(0, releasedAt - dueAt) / 1_000_000 + (performance.now() - askedAtMs) / 1_000;
    this.tell(seconds);
    if (seconds < NOTABLE_SECONDS) return;
    const cause = this.ableSince === null || dueAt < this.ableSince ? OUTAGE : OVERLOAD;
    const before = this.late.get(cause) ?? { jobs: 0, latestSeconds: 0 };
    this.late.set(cause, { jobs: before.jobs + 1, latestSeconds: Math.max(before.latestSeconds, seconds) });
  }

  /** Logs what was late since it last did, at most every ten seconds. To be called again and again. */
  report(): void {
    if (this.late.size === 0 || performance.now() - this.reportedAtMs < REPORT_EVERY_MS) return;
    this.reportedAtMs = performance.now();
    for (const [cause, { jobs, latestSeconds }] of this.late) {
      this.log.info({ jobs, latest_by_s: Math.round(latestSeconds * 10) / 10, cause }, 'jobs were handed out late');
    }
    this.late.clear();
  }
}
