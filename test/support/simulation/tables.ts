import type { WorkData } from '#shared/contracts/work-message';
import { isEnded } from '#shared/domain/status';
import type { DeadLetter, Micros } from '#shared/domain/turn/job-draft';
import type { Dependency, DependencyFailure } from '#shared/domain/turn/job-hold';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { StoredJob } from '../turn-walk';

/** A job as the tables have it. A change replaces `stored`; nothing changes it. */
export interface SimJob {
  readonly id: string;
  readonly pipeline: StoredPipeline;
  readonly data: WorkData;
  readonly createdAt: Micros;
  readonly onDependencyFailure: DependencyFailure;
  eta: Micros | null;
  /** What it was told of the jobs that it needs. */
  dependencies: readonly Dependency[];
  /** What those that need it were told of it; null: there are none. */
  told: string | null;
  stored: StoredJob;
  deadLetters: ReadonlyMap<number, DeadLetter>;
  cancelAt: Micros | null;
  cancelMark: Micros | null;
}

/** How a job stands, as its dependants are told. */
export const stateOf = ({ fields }: StoredJob): string => (isEnded(fields.status) ? fields.status : 'live');

/** An incarnation of a worker. */
export interface WorkerRow {
  readonly id: string;
  readonly name: string;
  readonly registeredAt: Micros;
  leaseUntil: Micros;
  polledAt: Micros | null;
  windingDown: readonly string[];
}

export interface Change {
  readonly job: SimJob;
  readonly before: StoredJob;
  readonly after: StoredJob;
  /** Steps that a retry has set back. */
  readonly redriven: bigint;
}

/** Who looks at every commit. */
export interface PostgresWatch {
  committed(change: Change): void;
  stale(jobId: string): void;
  leaves(worker: string): void;
  acknowledged(worker: WorkerRow, until: Micros, windingDown: readonly string[]): void;
}
