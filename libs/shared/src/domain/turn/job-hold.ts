/** What becomes of a job when one that it needs fails or is cancelled. */
export const DEPENDENCY_FAILURES = ['fail', 'run'] as const;
export type DependencyFailure = (typeof DEPENDENCY_FAILURES)[number];

/** How a job that is needed has ended. */
export type DependencyOutcome = 'completed' | 'failed' | 'cancelled';

/** A job that has to be completed first. */
export interface Dependency {
  readonly jobId: string;
  /** What the dependant knows of it; null: it has not ended. */
  outcome: DependencyOutcome | null;
  /** The dependant needs it no longer, whatever becomes of it later. */
  settled: boolean;
}

/** What holds a job back before it begins. */
export interface JobHold {
  /** When it may begin: microseconds since 1970 by the database's clock. */
  eta: number | null;
  readonly onDependencyFailure: DependencyFailure;
  /** Those that are not settled. */
  readonly dependencies: readonly Dependency[];
  /** Other jobs need this one: they have to be told of its end, and when it goes on after that. */
  readonly hasDependants: boolean;
}

/** Of most jobs: nothing. */
export const noHold = (): JobHold => ({
  eta: null,
  onDependencyFailure: 'fail',
  dependencies: [],
  hasDependants: false,
});

export const isUnsettled = ({ settled }: Dependency): boolean => !settled;

/** A job without which this one cannot run: it has failed or was cancelled. */
export const lostDependency = ({ dependencies }: JobHold): Dependency | null =>
  dependencies.find(({ outcome, settled }) => outcome !== null && !settled) ?? null;
