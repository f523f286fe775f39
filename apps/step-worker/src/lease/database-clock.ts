import type { Micros } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';

/** What our idea of the database's time may be off by, at the most. */
const LARGEST_ERROR: Micros = 1_000_000;

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

  /**
   * Now, and not before a database's time that is said to be past: our idea of it is off by up to half an answer's time,
   * and nothing may be shown to begin before it was handed out. One that cannot be past is not believed.
   */
  nowAfter(past: Micros): Micros {
    const now = this.now();
    return past - now > LARGEST_ERROR ? now : Math.max(now, past);
  }

  /** As ISO 8601 with milliseconds. */
  iso(): string {
    return new Date(this.now() / 1_000).toISOString();
  }
}

const monotonicMicros = (): number => performance.now() * 1_000;
