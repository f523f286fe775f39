import type { Micros } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';

/**
 * The database's time, kept by this process's monotonic clock between looks at it. A service's own wall clock may be an
 * hour off; nothing that is recorded may show that.
 */
export class DatabaseClock {
  private offsetMicros = Date.now() * 1_000 - monotonicMicros();

  /**
   * The time lies halfway between question and answer.
   * @param askedAtMs and `answeredAtMs`: `performance.now()`
   */
  set(databaseTime: Micros, askedAtMs: number, answeredAtMs = performance.now()): void {
    if (!guardHolds('worker.database_time')) return;
    const halfwayMicros = ((askedAtMs + answeredAtMs) / 2) * 1_000;
    this.offsetMicros = databaseTime - halfwayMicros;
  }

  now(): Micros {
    return Math.round(monotonicMicros() + this.offsetMicros);
  }

  /** As ISO 8601 with milliseconds. */
  iso(): string {
    return new Date(this.now() / 1_000).toISOString();
  }
}

const monotonicMicros = (): number => performance.now() * 1_000;
