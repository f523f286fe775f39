import type { Measured } from '#shared/domain/turn/end-attempt';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { DatabaseClock } from '../lease/database-clock';

/** Asking the system costs more than a small step does, so its answers are kept for so long. */
const CPU_LOOK_MS = 10;
const MEMORY_LOOK_MS = 100;

interface CpuLook {
  readonly atMs: number;
  /** CPU time of the process so far. */
  readonly usedMs: number;
}

/**
 * Measures attempts that run inside this process. CPU is the process's own over the attempt's time, memory its resident
 * size: with several steps side by side each shows what all of them used together. An attempt shorter than the clock of
 * these figures (10 ms) shows what the process used just then.
 */
export class AttemptMeter {
  private memoryMb = 0;
  private memoryLookMs = -Infinity;
  private before: CpuLook = look();
  private latest: CpuLook = look();

  constructor(private readonly clock: DatabaseClock) {}

  /**
   * Starts measuring; `end` gives the figures when the attempt has ended.
   * @param openedAt the database's time at which the attempt's turn was handed out
   */
  start(openedAt: Micros): { readonly startedAt: number; readonly end: () => Measured } {
    const startedAt = this.clock.nowAfter(openedAt);
    const startedAtMs = performance.now();
    const cpuBefore = this.cpu(startedAtMs);
    const memoryBefore = this.memory();
    const end = (): Measured => {
      const endedAtMs = performance.now();
      const durationMs = endedAtMs - startedAtMs;
      return {
        startedAt,
        finishedAt: Math.round(startedAt + durationMs * 1_000),
        durationMs: Math.round(durationMs * 1_000) / 1_000,
        cpuPercent: this.percentSince(cpuBefore, endedAtMs),
        memoryMb: Math.max(memoryBefore, this.memory()),
      };
    };
    return { startedAt, end };
  }

  /** Resident memory of this process in MB, at most 100 ms old. */
  memory(): number {
    if (performance.now() - this.memoryLookMs > MEMORY_LOOK_MS) {
      this.memoryMb = Math.round((process.memoryUsage.rss() / 1_048_576) * 10) / 10;
      this.memoryLookMs = performance.now();
    }
    return this.memoryMb;
  }

  private percentSince(before: CpuLook, nowMs: number): number {
    const now = this.cpu(nowMs);
    const from = now.atMs - before.atMs >= CPU_LOOK_MS ? before : this.before;
    const elapsedMs = now.atMs - from.atMs;
    return elapsedMs <= 0 ? 0 : Math.round(((now.usedMs - from.usedMs) / elapsedMs) * 1_000) / 10;
  }

  private cpu(nowMs: number): CpuLook {
    if (nowMs - this.latest.atMs >= CPU_LOOK_MS) {
      this.before = this.latest;
      this.latest = look();
    }
    return this.latest;
  }
}

function look(): CpuLook {
  const { user, system } = process.cpuUsage();
  return { atMs: performance.now(), usedMs: (user + system) / 1_000 };
}
