import type { Measured } from '#shared/domain/turn/end-attempt';
import type { DatabaseClock } from '../lease/database-clock';

/** How often the memory of the process is looked at: a look costs more than a small step. */
const MEMORY_LOOK_MS = 100;

/**
 * Measures attempts that run inside this process. CPU is the process's own over the attempt's time, memory its resident
 * size: with several steps side by side each shows what all of them used together.
 */
export class AttemptMeter {
  private memoryMb = 0;
  private lookedAtMs = -Infinity;

  constructor(private readonly clock: DatabaseClock) {}

  /** Starts measuring; what it returns gives the figures when the attempt has ended. */
  start(): { readonly startedAt: number; readonly end: () => Measured } {
    const startedAt = this.clock.now();
    const startedAtMs = performance.now();
    const cpuBefore = process.cpuUsage();
    const memoryBefore = this.memory();
    const end = (): Measured => {
      const durationMs = performance.now() - startedAtMs;
      const cpu = process.cpuUsage(cpuBefore);
      // Below the clock's resolution a ratio says nothing; no process uses more than all cores.
      const cpuPercent = durationMs < 1 ? 0 : ((cpu.user + cpu.system) / 1_000 / durationMs) * 100;
      return {
        startedAt,
        finishedAt: Math.round(startedAt + durationMs * 1_000),
        durationMs: Math.round(durationMs * 1_000) / 1_000,
        cpuPercent: Math.round(cpuPercent * 10) / 10,
        memoryMb: Math.max(memoryBefore, this.memory()),
      };
    };
    return { startedAt, end };
  }

  /** Resident memory of this process in MB, at most 100 ms old. */
  memory(): number {
    if (performance.now() - this.lookedAtMs > MEMORY_LOOK_MS) {
      this.memoryMb = Math.round((process.memoryUsage.rss() / 1_048_576) * 10) / 10;
      this.lookedAtMs = performance.now();
    }
    return this.memoryMb;
  }
}
