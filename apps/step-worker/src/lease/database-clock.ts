import type { Micros } from '#shared/domain/turn/job-draft';

/**
 * The database's time, kept by this process's monotonic clock between looks at it. A service's own wall clock may be an
 * hour off; nothing that is recorded may show that.
 */
export class DatabaseClock {
  private offsetMicros = Date.now() * 1_000 - monotonicMicros();

  /** @param sentAtMs `performance.now()` when the question was sent; the answer lies halfway to now */
  set(databaseTime: Micros, sentAtMs: number): void {
    const halfwayMicros = ((sentAtMs + performance.now()) / 2) * 1_000;
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
