import type { WorkerLoad } from '#shared/store/worker-registry';

const BYTES_PER_MB = 1_048_576;

/** What this process, with all its threads, uses: since the last look, or its start. */
export class ProcessLoad {
  private cpu = process.cpuUsage();
  private atMs = performance.now();

  look(running: number): WorkerLoad {
    const used = process.cpuUsage(this.cpu);
    const nowMs = performance.now();
    const elapsedMs = Math.max(1, nowMs - this.atMs);
    this.cpu = process.cpuUsage();
    this.atMs = nowMs;
    const cpuPercent = Math.round((used.user + used.system) / elapsedMs) / 10;
    return { running, cpuPercent, memoryMb: Math.round((process.memoryUsage.rss() / BYTES_PER_MB) * 10) / 10 };
  }
}
