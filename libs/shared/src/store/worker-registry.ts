import type { DataSource } from 'typeorm';
import type { Micros } from '#shared/domain/turn/job-draft';
import { execute, type NamedStatement, withClient } from '#shared/store/database';
import { micros } from '#shared/store/jobs/draft-statements';

/** What a worker says of itself. */
export interface WorkerDescription {
  /** Of this incarnation: never used again after its lease was lost. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly queues: readonly string[];
  readonly capacity: number;
}

/** What it is at, told with each renewal. */
export interface WorkerLoad {
  readonly running: number;
  readonly cpuPercent: number;
  readonly memoryMb: number;
}

const REGISTER: NamedStatement = {
  name: 'register_worker',
  text: `
INSERT INTO workers (id, name, version, pid, queues, capacity, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 millisecond') RETURNING ${micros('now()')} AS now_us`,
};

/** A lease that is over is never taken up again, however little it was missed by. */
const RENEW: NamedStatement = {
  name: 'renew_worker',
  text: `
UPDATE workers SET lease_until = now() + $2 * interval '1 millisecond', running = $3, cpu_percent = $4, memory_mb = $5
WHERE id = $1 AND lease_until > now()
RETURNING ${micros('now()')} AS now_us, (SELECT count(*)::int FROM workers WHERE lease_until > now()) AS alive`,
};

/** What a renewal was answered with. */
export interface Renewal {
  /** The database's time. */
  readonly now: Micros;
  /** Workers with a valid lease, the asking one included. */
  readonly workersAlive: number;
}

const OWN_RUNNING: NamedStatement = {
  name: 'own_running_steps',
  text: `SELECT job_id, idx, epoch FROM steps WHERE worker = $1 AND status = 'running'`,
};

/** Rows of dead incarnations stay for a while, so that people can see who has gone. */
const FORGET: NamedStatement = {
  name: 'forget_gone_workers',
  text: `DELETE FROM workers WHERE lease_until < now() - $1 * interval '1 millisecond'`,
};

export interface OwnedStep {
  readonly jobId: string;
  readonly idx: number;
  readonly epoch: number;
}

/** The rows of workers: one per incarnation, alive as long as its lease is renewed. */
export class WorkerRegistry {
  constructor(private readonly database: DataSource) {}

  /** @returns the database's time of the registration */
  async register(worker: WorkerDescription, leaseMs: number): Promise<Micros> {
    const { id, name, version, pid, queues, capacity } = worker;
    const rows = await this.execute<{ now_us: string }>(REGISTER, [id, name, version, pid, queues, capacity, leaseMs]);
    return Number(rows[0]?.now_us);
  }

  /** @returns null: the lease is over */
  async renew(id: string, leaseMs: number, load: WorkerLoad): Promise<Renewal | null> {
    const values = [id, leaseMs, load.running, load.cpuPercent, load.memoryMb];
    const [row] = await this.execute<{ now_us: string; alive: number }>(RENEW, values);
    return row ? { now: Number(row.now_us), workersAlive: row.alive } : null;
  }

  /** Ends the lease at once: whatever still runs under this id may be taken by others. */
  async remove(id: string): Promise<void> {
    await this.execute({ name: 'remove_worker', text: 'DELETE FROM workers WHERE id = $1' }, [id]);
  }

  /** The steps whose rows say that this worker runs them. By `steps_running`. */
  async runningOf(id: string): Promise<OwnedStep[]> {
    const rows = await this.execute<{ job_id: string; idx: number; epoch: number }>(OWN_RUNNING, [id]);
    return rows.map((row) => ({ jobId: row.job_id, idx: row.idx, epoch: row.epoch }));
  }

  /** Drops the rows of workers that have been gone for so long. */
  async forgetGone(afterMs: number): Promise<void> {
    await this.execute(FORGET, [afterMs]);
  }

  private execute<Row>(statement: NamedStatement, values: unknown[]): Promise<Row[]> {
    return withClient(this.database, (client) => execute<Row>(client, statement, values));
  }
}
