import type { DataSource } from 'typeorm';
import type { WorkerView } from '#shared/contracts/fleet';

interface WorkerRow extends Omit<WorkerView, 'status' | 'last_seen'> {
  readonly alive: boolean;
  readonly last_seen: Date;
}

/** A worker renews its lease for the same time on each: it was seen that long before the end. Each restart is a row. */
const READ_WORKERS = `
SELECT id, name, version, queues, running, capacity, cpu_percent, memory_mb, lease_until > now() AS alive,
       greatest(registered_at, lease_until - $1 * interval '1 millisecond') AS last_seen
FROM workers ORDER BY alive DESC, name, id LIMIT $2`;

/** Far more workers than there are; those that are alive come first. */
const MAX_WORKERS = 1_000;

/** Reads which workers there are. */
export class WorkerReader {
  /** @param leaseMs for how long workers renew their lease */
  constructor(
    private readonly database: DataSource,
    private readonly leaseMs: number,
  ) {}

  /** Workers that are alive, then those that have gone lately. */
  async list(): Promise<WorkerView[]> {
    const rows: WorkerRow[] = await this.database.query(READ_WORKERS, [this.leaseMs, MAX_WORKERS]);
    return rows.map(({ alive, last_seen, ...worker }) => ({
      ...worker,
      status: alive ? 'alive' : 'gone',
      last_seen: last_seen.toISOString(),
      running: alive ? worker.running : 0,
    }));
  }
}
